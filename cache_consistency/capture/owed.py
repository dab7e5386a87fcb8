"""
Tables whose invalidation this process still owes the store: until it is paid they are not read from the cache here.

A writer must not read its own past. Other processes cannot know; what they may see meanwhile is in ``docs/guarantees.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

_withheld: frozenset[str] = frozenset()


def withhold(tables: Iterable[str]) -> None:
    """Keep ``tables`` from being served; the caller serializes its calls."""
    global _withheld  # replaced, never changed: readers take no lock
    _withheld = _withheld.union(tables)


def release(*, still: Iterable[str]) -> None:
    """Serve everything again but what is ``still`` owed."""
    global _withheld
    _withheld = frozenset(still)


def is_withheld(tables: Collection[str] | None) -> bool:
    """Return whether one of ``tables`` (None: any) is owed."""
    return bool(_withheld) and (tables is None or not _withheld.isdisjoint(tables))
