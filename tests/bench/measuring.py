"""Measuring several ways of doing one thing in turns, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Callable, Mapping

Act = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Way:
    """One way of doing it."""

    act: Act
    before: Act = lambda: None
    """Called before each turn, unmeasured."""


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of single calls, sorted."""

    calls: tuple[float, ...]

    def quantile(self, share: float) -> float:
        return self.calls[min(len(self.calls) - 1, int(share * len(self.calls)))]

    @property
    def p50(self) -> float:
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        return self.quantile(0.99)


def in_turns(ways: Mapping[str, Way], *, rounds: int, calls: int) -> dict[str, Times]:
    """
    Call each way ``calls`` times in a row, ``rounds`` times round, the first round unmeasured; who begins changes with the round.

    :return: the times of all calls, by the name of the way.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + 1):
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                ways[name].before()
                times = _timed(ways[name].act, calls)
                if turn:
                    taken[name] += times
    finally:
        gc.enable()
    return {name: Times(tuple(sorted(times))) for name, times in taken.items()}


def _timed(act: Act, calls: int) -> list[float]:
    clock, times = time.perf_counter, []
    act()                                                           # the first after a change of ways is not like the others
    for _ in range(calls):
        began = clock()
        act()
        times.append(clock() - began)
    return times
