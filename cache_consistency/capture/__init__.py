"""SQL and queries become tags here: what a write touches, on which database, and whether a connection may use the cache at all."""
