"""
The checker: from what each operation saw, and when, to what was stale, dirty or went back.

Writers give each key versions that rise with the order in which the database commits them (``version = version + 1 … RETURNING``); a row
that is not there is a version as well, written by its delete and seen as None. Every operation records, on one monotonic clock, when it
was invoked and when it returned. Then, for each read:

* *stale*: what it saw is older than the newest write that had returned when the read was invoked;
* *dirty*: no write ever committed what it saw, or none had been invoked yet when the read returned;
* *not monotone*: it is older than what the same session had seen before.

A write with an unknown outcome (its acknowledgement was lost, its process was killed) may be seen and need not be. Checking is
O(n log n), so a long run can be checked whole.

Source: after the registers of Jepsen's and Porcupine's checkers; versions make the search for an order unnecessary.
"""

from __future__ import annotations

import bisect
import dataclasses
import enum
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

ABSENT = None
"""The version of a row that is not there."""


class Outcome(enum.StrEnum):
    """What is known of a write."""

    COMMITTED = "committed"
    UNKNOWN = "unknown"
    """It may have committed: the acknowledgement was lost, or the process was killed."""
    ABORTED = "aborted"


class Read(msgspec.Struct, frozen=True, tag="r", array_like=True):
    """One read. Times are seconds of a clock that all processes share (``time.monotonic`` on one machine)."""

    key: str
    version: int | None
    invoked: float
    returned: float
    session: str = ""
    """Who reads, one at a time; only reads of one session are compared with each other."""
    hit: bool = True


class Write(msgspec.Struct, frozen=True, tag="w", array_like=True):
    """One write of one key; ``absent`` says that it deleted the row, ``version`` is its place in the order all the same."""

    key: str
    version: int
    invoked: float
    returned: float
    outcome: Outcome = Outcome.COMMITTED
    absent: bool = False


Operation = Read | Write


class Fault(enum.StrEnum):
    """What can be wrong with a read."""

    STALE = "stale"
    DIRTY = "dirty"
    NOT_MONOTONE = "not monotone"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One read that broke a promise."""

    fault: Fault
    read: Read
    expected: int
    """The lowest version that would have been right (for a dirty read: the newest that had returned)."""
    age: float = 0.0
    """How long, in seconds, what was seen had been out of date when the read was invoked; 0 for other faults."""

    def __str__(self) -> str:
        seen = "no row" if self.read.version is ABSENT else f"version {self.read.version}"
        late = f", {self.age:.6f} s out of date" if self.fault is Fault.STALE else ""
        how = "hit" if self.read.hit else "miss"
        return f"{self.fault}: {self.read.key!r} read as {seen} ({how}) by {self.read.session!r}, expected {self.expected} or newer{late}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a history came to; ``findings`` holds the first few of each fault, the counts are complete."""

    reads: int = 0
    hits: int = 0
    writes: int = 0
    stale: int = 0
    dirty: int = 0
    not_monotone: int = 0
    worst_age: float = 0.0
    """Seconds that the worst stale read was out of date."""
    findings: tuple[Finding, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not (self.stale or self.dirty or self.not_monotone)

    @property
    def hit_ratio(self) -> float:
        return self.hits / self.reads if self.reads else 0.0

    @property
    def stale_per_million(self) -> float:
        return 1e6 * self.stale / self.reads if self.reads else 0.0

    @property
    def bound_per_million(self) -> float:
        """
        Return the rate, per million hits, that a run without a stale read rules out with 95 % confidence: three in n.

        Only hits count: a read that the database answered proves nothing about a cache.
        """
        return 3e6 / self.hits if self.hits else math.inf

    def __str__(self) -> str:
        bound = f" (below {self.bound_per_million:.1f} per million hits, 95 %)" if not self.stale and self.hits else ""
        worst = f", worst {self.worst_age:.3f} s" if self.stale else ""
        return (
            f"{self.reads} reads ({self.hit_ratio:.1%} hits), {self.writes} writes: {self.stale} stale = "
            f"{self.stale_per_million:.1f} per million{bound}{worst}, {self.dirty} dirty, {self.not_monotone} not monotone"
        )


def _least_from_here(times: Iterable[float]) -> list[float]:
    """Return n + 1 times: for each place the least of those from there to the end."""
    return list(itertools.accumulate(reversed([*times]), min, initial=math.inf))[::-1]


class _Timeline:
    """The writes of one key, in the order of their versions and in the order of their returns."""

    def __init__(self, writes: Iterable[Write], initial: int | None) -> None:
        possible = sorted((write for write in writes if write.outcome is not Outcome.ABORTED), key=lambda write: write.version)
        first = min(-1, possible[0].version - 1 if possible else -1) if initial is ABSENT else initial
        self.places = [first, *(write.version for write in possible)]
        self.invoked = [-math.inf, *(write.invoked for write in possible)]
        self.absent = [place for place, gone in zip(self.places, [initial is ABSENT, *(w.absent for w in possible)], strict=True) if gone]
        self._absent_from = _least_from_here(self.invoked[bisect.bisect_left(self.places, place)] for place in self.absent)
        certain = sorted((w for w in possible if w.outcome is Outcome.COMMITTED), key=lambda write: write.returned)
        self.returns = [write.returned for write in certain]
        self.newest = list(itertools.accumulate((write.version for write in certain), max, initial=first))
        self._overdue = _least_from_here(write.returned if write.outcome is Outcome.COMMITTED else math.inf for write in possible)

    def floor(self, when: float) -> int:
        """Return the newest version whose write had returned before ``when``."""
        return self.newest[bisect.bisect_left(self.returns, when)]

    def overdue_since(self, version: int) -> float:
        """Return when ``version`` was out of date for certain."""
        return self._overdue[max(0, bisect.bisect_right(self.places, version) - 1)]

    def is_real(self, version: int, before: float) -> bool:
        """Return whether ``version`` may have committed, by a write that had been invoked by then."""
        index = bisect.bisect_left(self.places, version)
        return index < len(self.places) and self.places[index] == version and self.invoked[index] <= before

    def absence(self, at_least: int, before: float) -> int | None:
        """
        Return the first place from ``at_least`` on at which there was no row and that may have been seen by then; None if there is none.

        Of deletes that ran at one time the later in the order may have been invoked first: those before it are stepped over.
        """
        for index in range(bisect.bisect_left(self.absent, at_least), len(self.absent)):
            if self._absent_from[index] > before:
                return None
            if self.is_real(self.absent[index], before):
                return self.absent[index]
        return None

    def last_absence(self, below: int, before: float) -> int | None:
        """Return the last place before ``below`` at which there was no row and that may have been seen by then; None if there is none."""
        older = range(bisect.bisect_left(self.absent, below) - 1, -1, -1)
        return next((self.absent[index] for index in older if self.is_real(self.absent[index], before)), None)


def check(operations: Iterable[Operation], *, initial: Mapping[str, int | None] | None = None, examples: int = 5) -> Report:
    """
    Judge a history.

    :param operations: in any order; versions of one key are unique and rise in the order of commits.
    :param initial: what each key was before the first write: a version, or None for no row; version 0 for keys that it does not name.
    :param examples: how many findings of each fault to keep.
    :raises ValueError: two writes claim the same version of a key, or one claims the initial version; such a history proves nothing.
    """
    reads: list[Read] = []
    writes: defaultdict[str, list[Write]] = defaultdict(list)
    for operation in operations:
        if isinstance(operation, Read):
            reads.append(operation)
        else:
            writes[operation.key].append(operation)
    known = initial or {}
    timelines = {key: _timeline(key, writes.get(key, ()), known.get(key, 0)) for key in {*writes, *(read.key for read in reads)}}
    return _report(reads, sum(map(len, writes.values())), _judge(reads, timelines), examples)


def _timeline(key: str, writes: Iterable[Write], initial: int | None) -> _Timeline:
    timeline = _Timeline(writes, initial)
    for lower, higher in itertools.pairwise(timeline.places):
        if lower >= higher:
            raise ValueError(f"version {higher} of {key!r} was written twice, or is not above the initial one ({initial})")
    return timeline


def _judge(reads: list[Read], timelines: Mapping[str, _Timeline]) -> Iterator[Finding]:
    seen: dict[tuple[str, str], int] = {}
    for read in sorted(reads, key=lambda read: read.invoked):
        timeline = timelines[read.key]
        session = (read.session, read.key)
        newest = timeline.floor(read.invoked)
        before = seen.get(session, newest)
        place = read.version if read.version is not ABSENT else _place_of_absence(timeline, read, newest, before)
        if place is None or not timeline.is_real(place, read.returned):
            yield Finding(Fault.DIRTY, read, newest)
            continue
        if place < newest:
            yield Finding(Fault.STALE, read, newest, max(0.0, read.invoked - timeline.overdue_since(place)))
        elif place < before:
            yield Finding(Fault.NOT_MONOTONE, read, before)
        seen[session] = max(before, place)


def _place_of_absence(timeline: _Timeline, read: Read, newest: int, before: int) -> int | None:
    """
    Return which of the times without a row a read has seen: the one that puts it least in the wrong.

    Not before what had returned and what its session had seen if there is such a time, else not before what had returned, else the last.
    """
    for at_least in (max(newest, before), newest):
        place = timeline.absence(at_least, read.returned)
        if place is not None:
            return place
    return timeline.last_absence(newest, read.returned)


def _report(reads: list[Read], writes: int, findings: Iterator[Finding], examples: int) -> Report:
    counts = dict.fromkeys(Fault, 0)
    kept: list[Finding] = []
    worst = 0.0
    for finding in findings:
        if counts[finding.fault] < examples:
            kept.append(finding)
        counts[finding.fault] += 1
        worst = max(worst, finding.age)
    return Report(
        reads=len(reads),
        hits=sum(read.hit for read in reads),
        writes=writes,
        stale=counts[Fault.STALE],
        dirty=counts[Fault.DIRTY],
        not_monotone=counts[Fault.NOT_MONOTONE],
        worst_age=worst,
        findings=tuple(kept),
    )
