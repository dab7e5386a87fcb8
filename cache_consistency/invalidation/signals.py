"""Our signal."""

from django.dispatch import Signal

entries_invalidated = Signal()
"""
Sent when the old versions of tags are no longer served: they have new ones, or are pending for a moment until they do.

``sender`` is the model class, ``tags`` its tags, ``reason`` one of `REASONS`, ``using`` the database's alias. Receivers run after COMMIT, on a
connection that is in autocommit again, before the transaction's own ``on_commit`` hooks; inside a ``TestCase`` when the outermost block
under the test's own ends. What they raise is logged.
"""

REASONS = ("commit", "rule", "request")
"""A transaction committed; a rule of the registry asked for it outside a transaction; somebody called `invalidate`."""
