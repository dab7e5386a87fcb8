"""Every way to read through the cache."""
