"""
From what the processes of a campaign wrote down to a verdict.

Two counts are kept apart. *All* judges every read by what had returned. *Promised* leaves out what the mode does not promise: a writer that
could not reach the store commits all the same, and until its process has paid what it owes (for good, if it is killed first) others may
be served what was there before. So there such a write counts as returned when it was paid.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cache_consistency.testing.history import Operation, Outcome, Read, Report, Write, check
from cache_consistency.testing.recorder import merge
from tests.scenarios.rows import HOT, Counted, Gap, Intent, Note, Paid, Tally, Trouble, Unreached, book_key, mark_of, read_notes

Place = tuple[str, int]
"""A key and one of its versions."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    all: Report
    promised: Report
    lists: int
    """Lists and counts in which a row was judged by its absence, or by being counted."""
    wrong_lists: tuple[str, ...]
    wrong_lists_promised: tuple[str, ...]
    unreached: int
    unpaid: int
    unknown: int
    """Writes that were under way when their process was killed."""
    troubles: tuple[str, ...]
    forms: Mapping[str, int]

    @property
    def is_clean(self) -> bool:
        return self.promised.is_clean and not self.wrong_lists_promised and not self.troubles

    def __str__(self) -> str:
        lines = [
            f"promised   {self.promised}",
            f"all        {self.all}",
            (f"lists      {self.lists} judged by what was missing or counted: {len(self.wrong_lists_promised)} stale, "
             f"{len(self.wrong_lists)} with what is not promised"),
            (f"writes     {self.unreached} could not reach the store ({self.unpaid} of them killed before they paid), "
             f"{self.unknown} were under way in a process that was killed"),
        ]
        lines += [f"finding    {finding}" for finding in self.promised.findings]
        lines += [f"finding    {text}" for text in self.wrong_lists_promised[:5]]
        lines += [f"trouble    {count} × {text}" for text, count in Counter(self.troubles).most_common(20)]
        return "\n".join(lines)


def judge(directory: Path) -> Verdict:
    operations, notes = merge(directory), read_notes(directory)
    writes, unknown = _writes(operations, notes)
    reads = [operation for operation in operations if isinstance(operation, Read)]
    unreached = {(note.key, note.version) for note in notes if isinstance(note, Unreached)}
    paid = {(note.key, note.version): note.at for note in notes if isinstance(note, Paid)}
    excused = [_excused(write, unreached, paid) for write in writes]
    looks = [note for note in notes if isinstance(note, (Gap, Counted))]
    committed = {(write.key, write.version) for write in writes if write.outcome is not Outcome.ABORTED}
    return Verdict(
        all=check([*reads, *writes], initial=_INITIAL), promised=check([*_unexcused(reads, unreached, writes), *excused], initial=_INITIAL),
        lists=len(looks), wrong_lists=tuple(_wrong(looks, writes)), wrong_lists_promised=tuple(_wrong(looks, excused)),
        unreached=len(unreached & committed), unpaid=len((unreached & committed) - set(paid)), unknown=unknown,
        troubles=tuple(f"{note.where}: {note.error[:300]}" for note in notes if isinstance(note, Trouble)), forms=_forms(notes),
    )


_INITIAL: dict[str, int | None] = {"book:100": None, "book:101": None, "book:102": None}


def _forms(notes: Iterable[Note]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for note in notes:
        if isinstance(note, Tally):
            found[note.form] += note.times
    return dict(found)


def _writes(operations: Iterable[Operation], notes: Iterable[Note]) -> tuple[list[Write], int]:
    """Return the writes that committed or may have, each version once, and how many were under way when their process was killed."""
    known: dict[Place, Write] = {}
    heard: Counter[Place] = Counter()
    for operation in operations:
        if isinstance(operation, Write):
            heard[operation.key, operation.version] += 1
            if operation.outcome is Outcome.COMMITTED:
                known[operation.key, operation.version] = operation
    intended: defaultdict[Place, list[Intent]] = defaultdict(list)
    for note in notes:
        if isinstance(note, Intent):
            intended[note.key, note.version].append(note)
    doubtful = 0
    for place, intents in intended.items():
        left = len(intents) - heard[place]
        doubtful += left
        if place not in known and left:
            first = min(intents, key=lambda intent: intent.at)
            known[place] = Write(first.key, first.version, first.at, math.inf, Outcome.UNKNOWN, first.absent)
    return list(known.values()), doubtful


def _excused(write: Write, unreached: set[Place], paid: Mapping[Place, float]) -> Write:
    place = (write.key, write.version)
    if place not in unreached or write.outcome is not Outcome.COMMITTED:
        return write
    if place in paid:
        return Write(write.key, write.version, write.invoked, max(write.returned, paid[place]), Outcome.COMMITTED, write.absent)
    return Write(write.key, write.version, write.invoked, math.inf, Outcome.UNKNOWN, write.absent)


def _unexcused(reads: Sequence[Read], unreached: set[Place], writes: Iterable[Write]) -> list[Operation]:
    """Return the reads; one that saw what the store did not know of yet (a row gone, perhaps) binds no later read of its session."""
    seen_of: set[tuple[str, int | None]] = set(unreached)
    seen_of |= {(write.key, None) for write in writes if write.absent and (write.key, write.version) in unreached}
    return [
        Read(read.key, read.version, read.invoked, read.returned, f"{read.session} {number}", read.hit)
        if (read.key, read.version) in seen_of else read
        for number, read in enumerate(reads)
    ]


# Lists and counts: what a row that is missing says of its version.


class _Row:
    """The states that one row went through, in order, as a list by ``mark`` sees them."""

    def __init__(self, writes: Iterable[Write]) -> None:
        ordered = sorted((write for write in writes), key=lambda write: write.version)
        self.versions = [0, *(write.version for write in ordered)]
        self.marks = [mark_of(0), *("" if write.absent else mark_of(write.version) for write in ordered)]
        self.invoked = [-math.inf, *(write.invoked for write in ordered)]
        certain = sorted((write for write in ordered if write.outcome is Outcome.COMMITTED), key=lambda write: write.returned)
        self.returns = [write.returned for write in certain]
        self.newest = list(itertools.accumulate((write.version for write in certain), max, initial=0))

    def possible(self, invoked: float, returned: float) -> set[str]:
        """Return the marks ("" for no row) that a read may have seen."""
        first = bisect.bisect_left(self.versions, self.newest[bisect.bisect_left(self.returns, invoked)])
        return {self.marks[index] for index in range(first, len(self.versions)) if self.invoked[index] <= returned}


def _wrong(looks: Iterable[Gap | Counted], writes: Iterable[Write]) -> Iterable[str]:
    by_key: defaultdict[str, list[Write]] = defaultdict(list)
    for write in writes:
        by_key[write.key].append(write)
    rows = {book_key(pk): _Row(by_key[book_key(pk)]) for pk in HOT}
    for look in looks:
        if isinstance(look, Gap):
            possible = rows[look.key].possible(look.invoked, look.returned)
            if (possible == {look.mark}) if look.mark else ("" not in possible):
                yield f"{look.key} is missing from the list of {look.mark or 'all'!r} ({_how(look)}) at {look.invoked:.3f}"
            continue
        seen = [row.possible(look.invoked, look.returned) for row in rows.values()]
        least, most = sum(possible == {look.mark} for possible in seen), sum(look.mark in possible for possible in seen)
        if not least <= look.count <= most:
            yield f"{look.count} books with {look.mark!r} were counted ({_how(look)}), {least} to {most} expected, at {look.invoked:.3f}"


def _how(look: Gap | Counted) -> str:
    return "hit" if look.hit else "miss"
