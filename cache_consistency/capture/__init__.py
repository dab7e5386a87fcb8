"""What SQL means: writes become tags, reads become tags. ``hooks/`` is the only place that replaces anything of Django."""
