"""Our signal."""

from django.dispatch import Signal

entries_invalidated = Signal()
"""
Sent after the tags of a table have new versions: ``sender`` the model class, ``tags`` those tags, ``reason`` one of `REASONS`, ``using``
the database's alias. Receivers run after COMMIT, on a connection that is in autocommit again, before the transaction's own ``on_commit``
hooks; what they raise is logged.
"""

REASONS = ("commit", "rule", "request")
"""A transaction committed; a rule of the registry asked for it outside a transaction; somebody called `invalidate`."""
