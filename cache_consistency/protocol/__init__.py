"""The promise as pure steps: no Django, no Redis, no clock, no randomness; whoever drives them answers their wishes."""
