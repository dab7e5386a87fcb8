"""
The in-process seam: what happened, counted cheaply, and told to whoever subscribed.

Counting must not slow a hit down: each thread owns its totals and nobody takes a lock; `totals` adds them up when somebody looks.
Subscribers hear of what is rare enough to be told one by one (a store error, an invalidation, a lost mark), never of single hits.
"""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Callable
from typing import Any

import msgspec

logger = logging.getLogger("cache_consistency")

Label = tuple[str, str, str]
"""(what, model label or alias or "", outcome or cause or "")"""


class Event(msgspec.Struct, frozen=True):
    """Something rare. ``what`` is one of the names in ``docs/reference/events.md``; ``detail`` holds plain values, never secrets."""

    what: str
    subject: str = ""
    outcome: str = ""
    detail: dict[str, Any] = {}


class _Totals(threading.local):
    def __init__(self) -> None:
        self.counts: collections.defaultdict[Label, int] = collections.defaultdict(int)
        with _lock:
            _living.append((threading.current_thread(), self.counts))
            _retire()


_lock = threading.Lock()
_living: list[tuple[threading.Thread, collections.defaultdict[Label, int]]] = []
_retired: collections.Counter[Label] = collections.Counter()
_subscribers: list[Callable[[Event], None]] = []
MOST_WARNINGS = 1000
"""Keys of warnings that are remembered; whoever needs more has made keys of values."""
_said: set[str] = set()
_full = False


def count(what: str, subject: str = "", outcome: str = "", n: int = 1) -> None:
    """Add ``n`` to one total; about 0.2 µs. Labels are few and bounded: models, aliases, outcomes, never a key."""
    _totals.counts[what, subject, outcome] += n


def emit(event: Event) -> None:
    """Count something rare and tell every subscriber; a subscriber that fails is logged and does not stop the others."""
    count(event.what, event.subject, event.outcome)
    for subscriber in tuple(_subscribers):
        try:
            subscriber(event)
        except Exception:
            logger.exception("a subscriber of cache_consistency.events failed on %s", event.what)


def subscribe(subscriber: Callable[[Event], None]) -> Callable[[], None]:
    """Have ``subscriber`` called for each event from now on; the returned function ends that."""
    _subscribers.append(subscriber)

    def unsubscribe() -> None:
        if subscriber in _subscribers:
            _subscribers.remove(subscriber)
    return unsubscribe


def totals() -> dict[Label, int]:
    """Return everything counted by this process since it began or since `reset`."""
    with _lock:
        _retire()
        result = collections.Counter(_retired)
        for _, counts in _living:
            result.update(dict(counts))
    return dict(result)


def total(what: str, *, subject: str | None = None, outcome: str | None = None) -> int:
    """Return the sum over all labels that match."""
    return sum(
        n for (w, s, o), n in totals().items() if w == what and subject in (None, s) and outcome in (None, o)
    )


def reset() -> None:
    """Begin counting at zero (tests, and a child process after fork)."""
    global _full  # as `_said`
    with _lock:
        _retired.clear()
        for _, counts in _living:
            counts.clear()
        _said.clear()
        _full = False


def warn_once(key: str, message: str, *args: object) -> None:
    """
    Log a warning the first time ``key`` is met in this process, or since `say_again`.

    After `MOST_WARNINGS` of them it says so and says no more.
    """
    global _full  # as `_said`, with which it changes
    with _lock:
        if key in _said or _full:
            return
        _full = len(_said) >= MOST_WARNINGS
        if not _full:
            _said.add(key)
    if _full:
        logger.warning("%d kinds of warnings were logged by this process; no further ones will be", MOST_WARNINGS)
    else:
        logger.warning(message, *args)


def say_again(*keys: str) -> None:
    """Have `warn_once` log these keys anew: what they warned of is over."""
    with _lock:
        _said.difference_update(keys)


def _retire() -> None:
    """Keep what threads that have ended counted, and forget the threads; the caller holds the lock."""
    for item in [item for item in _living if not item[0].is_alive()]:
        _living.remove(item)
        _retired.update(item[1])


_totals = _Totals()
