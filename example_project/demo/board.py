"""
The memory that all processes of a demonstration share: one file, mapped by each, of 64-bit numbers.

**Floors.** One number for each row that is watched: the highest ``version`` whose write had *returned* to the writer. A writer raises it
after its service returned, a reader looks before its read begins: a read that comes back with less is stale, whatever the clocks say.
A floor only rises; raising takes a lock of that one number (``fcntl.lockf``), looking takes none.

**Pairs.** For what comes and goes (a product that is created and retired, a label that is put and taken) a writer owns a pair: it writes
the new state into *begun* before it acts and into *done* after the service returned. A reader that finds *done* before its read equal to
*begun* after it knows that nothing was under way, so the answer must be exactly that state.

**Counters.** Each worker adds to its own; whoever looks sums them up.
"""

import enum
import fcntl
import json
import math
import mmap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

_BYTES = 8
BUCKETS = 100
"""Of a histogram of durations: four to each doubling, from 1 µs to 30 s."""


class Count(enum.IntEnum):
    """What a worker counts, and where."""

    READS = 0
    HITS = 1
    ASKED = 2
    """Reads by the cache's own count: hits, and all that were none."""
    WRITES = 3
    STALE = 4
    ERRORS = 5
    READY = 6
    """1 once the worker has begun."""


_PER_WORKER = len(Count) + BUCKETS


@dataclass(frozen=True, slots=True)
class Roster:
    """Who and what takes part, in the order of their numbers on the board; the same for every process."""

    products: tuple[tuple[int, str], ...]
    """(pk, sku)"""
    customers: tuple[int, ...]
    categories: tuple[int, ...]
    flashes: tuple[str, ...]
    """SKUs that come and go, in a category of their own."""
    flash_category: int
    labelled: tuple[tuple[int, str], ...]
    """(pk, sku) of products on which one label comes and goes."""
    label: int
    workers: int


@dataclass(frozen=True, slots=True)
class Pair:
    """The state that a writer works on, and the one it last finished: ``sequence << 1 | present``."""

    begun: int
    done: int

    @property
    def settled(self) -> bool:
        return self.begun == self.done


class Board:
    """Open with `create` once, then with `open` in each process."""

    def __init__(self, path: Path, roster: Roster) -> None:
        self.roster = roster
        sizes = (len(roster.products), len(roster.customers), len(roster.customers), len(roster.categories))
        starts = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
        self._products, self._customers, self._orders, self._categories, self._pairs = starts
        self._counters = self._pairs + 2 * (len(roster.flashes) + len(roster.labelled))
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), (self._counters + roster.workers * _PER_WORKER) * _BYTES)
        self._cells = memoryview(self._map).cast("q")

    @classmethod
    def create(cls, directory: Path, roster: Roster) -> Self:
        """Write the roster and an empty board into ``directory``."""
        (directory / "roster.json").write_text(json.dumps(asdict(roster)))
        pairs = len(roster.flashes) + len(roster.labelled)
        floors = len(roster.products) + 2 * len(roster.customers) + len(roster.categories)
        (directory / "board").write_bytes(bytes((floors + 2 * pairs + roster.workers * _PER_WORKER) * _BYTES))
        return cls(directory / "board", roster)

    @classmethod
    def open(cls, directory: Path) -> Self:
        found = json.loads((directory / "roster.json").read_text())
        for name in ("products", "labelled"):
            found[name] = tuple((pk, sku) for pk, sku in found[name])
        for name in ("customers", "categories", "flashes"):
            found[name] = tuple(found[name])
        return cls(directory / "board", Roster(**found))

    def close(self) -> None:
        self._cells.release()
        self._map.close()
        self._file.close()

    # floors
    def product(self, number: int) -> int:
        return self._cells[self._products + number]

    def products(self) -> Sequence[int]:
        """Return a copy of all: what a read of a list is compared with has to be taken before the read."""
        return self._cells[self._products : self._customers].tolist()

    def customer(self, number: int) -> int:
        return self._cells[self._customers + number]

    def order_count(self, number: int) -> int:
        return self._cells[self._orders + number]

    def categories(self) -> Sequence[int]:
        return self._cells[self._categories : self._pairs].tolist()

    def raise_product(self, number: int, version: int) -> None:
        self._raise(self._products + number, version)

    def raise_customer(self, number: int, version: int) -> None:
        self._raise(self._customers + number, version)

    def raise_order_count(self, number: int, count: int) -> None:
        self._raise(self._orders + number, count)

    def raise_category(self, number: int, version: int) -> None:
        self._raise(self._categories + number, version)

    def _raise(self, cell: int, value: int) -> None:
        """Set the cell to ``value`` unless it is higher already; the lock covers this cell only, across processes."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, _BYTES, cell * _BYTES)
        try:
            if value > self._cells[cell]:
                self._cells[cell] = value
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _BYTES, cell * _BYTES)

    # pairs
    def flash(self, number: int) -> Pair:
        return self._pair(self._pairs + 2 * number)

    def label(self, number: int) -> Pair:
        return self._pair(self._pairs + 2 * (len(self.roster.flashes) + number))

    def _pair(self, cell: int) -> Pair:
        return Pair(self._cells[cell], self._cells[cell + 1])

    def begin_flash(self, number: int, state: int) -> None:
        self._cells[self._pairs + 2 * number] = state

    def finish_flash(self, number: int, state: int) -> None:
        self._cells[self._pairs + 2 * number + 1] = state

    def begin_label(self, number: int, state: int) -> None:
        self._cells[self._pairs + 2 * (len(self.roster.flashes) + number)] = state

    def finish_label(self, number: int, state: int) -> None:
        self._cells[self._pairs + 2 * (len(self.roster.flashes) + number) + 1] = state

    # counters
    def add(self, worker: int, what: Count, n: int = 1) -> None:
        self._cells[self._counters + worker * _PER_WORKER + what] += n

    def add_duration(self, worker: int, seconds: float) -> None:
        self._cells[self._counters + worker * _PER_WORKER + len(Count) + bucket(seconds)] += 1

    def counts(self) -> "Counts":
        """Return the sums over all workers."""
        rows = [self._cells[start : start + _PER_WORKER].tolist() for start in self._starts()]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        return Counts(tuple(sums[: len(Count)]), tuple(sums[len(Count) :]))

    def _starts(self) -> range:
        return range(self._counters, self._counters + self.roster.workers * _PER_WORKER, _PER_WORKER)


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums of all workers at one moment, or the difference of two moments."""

    totals: tuple[int, ...]
    hits_by_duration: tuple[int, ...]

    def __getitem__(self, what: Count) -> int:
        return self.totals[what]

    def __sub__(self, earlier: "Counts") -> "Counts":
        totals = tuple(now - then for now, then in zip(self.totals, earlier.totals, strict=True))
        hits = tuple(now - then for now, then in zip(self.hits_by_duration, earlier.hits_by_duration, strict=True))
        return Counts(totals, hits)

    @property
    def hit_ratio(self) -> float | None:
        """Of the reads that asked the cache; None if none did."""
        return self[Count.HITS] / self[Count.ASKED] if self[Count.ASKED] else None

    @property
    def median_hit(self) -> float | None:
        """Seconds, within a tenth; None without hits."""
        half, seen = sum(self.hits_by_duration) / 2, 0
        for number, n in enumerate(self.hits_by_duration):
            seen += n
            if n and seen >= half:
                return 1e-6 * 2 ** ((number + 0.5) / 4)
        return None


def bucket(seconds: float) -> int:
    return min(BUCKETS - 1, max(0, int(4 * math.log2(max(seconds * 1e6, 1)))))
