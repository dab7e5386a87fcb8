"""How often the cache answered, by its own count, in this process; each way of reading has another place to ask."""

from typing import Protocol

from django.core.cache import caches

from cache_consistency import events
from example_project.reads import Mode


class HitCounter(Protocol):
    def counts(self) -> tuple[int, int]:
        """Return (hits, reads that asked the cache) since the process began."""


class Consistent:
    def counts(self) -> tuple[int, int]:
        sums = {"hit": 0, "miss": 0, "bypass": 0}
        for (what, _subject, _outcome), n in events.totals().items():
            if what in sums:
                sums[what] += n
        return sums["hit"], sum(sums.values())


class Naive:
    """Django's cache counts nothing, so its ``get`` is wrapped, in this process only."""

    def __init__(self) -> None:
        self._hits = self._asked = 0
        backend = caches["default"]
        original = backend.get

        def counting(*args: object, **kwargs: object) -> object:
            found = original(*args, **kwargs)  # type: ignore[arg-type]
            self._asked += 1
            self._hits += found is not None
            return found

        backend.get = counting  # type: ignore[method-assign]

    def counts(self) -> tuple[int, int]:
        return self._hits, self._asked


class Off:
    def counts(self) -> tuple[int, int]:
        return 0, 0


def counter(mode: Mode) -> HitCounter:
    kinds: dict[Mode, type[HitCounter]] = {Mode.CONSISTENT: Consistent, Mode.NAIVE: Naive, Mode.OFF: Off}
    return kinds[mode]()
