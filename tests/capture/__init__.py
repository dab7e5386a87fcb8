"""Every way to write, on real databases, and the tags that must come of it."""
