"""Telling others, once the old versions of tags are no longer served: the counters, and the signal for those who listen."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from cache_consistency import events
from cache_consistency.capture import state
from cache_consistency.declare import tracked
from cache_consistency.invalidation.signals import entries_invalidated
from cache_consistency.protocol.tags import Tag, parts


def announce_after(connection: Any, tags: Iterable[Tag]) -> None:
    """
    Announce a commit as soon as the connection can be used again.

    At the end of ``atomic()`` COMMIT was sent but autocommit is not on yet: a receiver that asked the database now would open a
    transaction that nobody ends. So it becomes the first of the transaction's ``on_commit`` hooks. The transaction of a ``TestCase`` is
    never committed and can be used all the time.
    """
    tell = functools.partial(announce, tags, reason="commit", using=connection.alias)
    if connection.autocommit or state.under_testcase(connection):
        tell()
    else:
        connection.run_on_commit.insert(0, (set(), tell, True))


def announce(tags: Iterable[Tag], *, reason: str, using: str) -> None:
    """Count what was invalidated, and send `entries_invalidated` once for each model."""
    events.count("invalidation", using, reason)
    if not entries_invalidated.receivers:
        return
    by_table: dict[str, list[Tag]] = {}
    for tag in tags:
        by_table.setdefault(parts(tag).table, []).append(tag)
    for name, of_table in by_table.items():
        found = tracked.table(tracked.name_in_tag(name))
        if found is None or found.model is None:
            continue
        answers = entries_invalidated.send_robust(sender=found.model, tags=tuple(of_table), reason=reason, using=using)
        for receiver, answer in answers:
            if isinstance(answer, Exception):
                events.emit(events.Event("receiver_error", found.model._meta.label, type(answer).__name__))
                events.logger.error("a receiver of entries_invalidated failed: %r", receiver, exc_info=answer)
