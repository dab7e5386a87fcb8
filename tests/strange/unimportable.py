"""A module of a project that fails while it is imported."""

vary = {}["no such environment"]
