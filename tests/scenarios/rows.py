"""
The hot rows, and what is known of a row by its version alone.

A writer that gives a row version n also gives it `mark_of(n)`, so that a list by ``mark`` in which a row is missing says something about
the row's version, too.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

HOT = tuple(range(1, 17))
"""Rows that everybody writes."""
MARKS = "ABC"
AUTHORS = (1, 2)
OWNED = 100
"""The pk of the row that only writer 0 writes; writer n has the nth after it."""


def mark_of(version: int) -> str:
    return MARKS[version // 2 % len(MARKS)]


def book_key(pk: int) -> str:
    return f"book:{pk}"


def author_key(pk: int) -> str:
    return f"author:{pk}"


class Intent(msgspec.Struct, frozen=True, tag="intent", array_like=True):
    """A write is about to be made; if nothing else is heard of it, its process was killed and it may have committed."""

    key: str
    version: int
    at: float
    absent: bool = False


class Unreached(msgspec.Struct, frozen=True, tag="unreached", array_like=True):
    """The transaction commits although its mark was not answered: its process owes the store the invalidation."""

    key: str
    version: int


class Paid(msgspec.Struct, frozen=True, tag="paid", array_like=True):
    """What was owed for this write was paid at ``at``."""

    key: str
    version: int
    at: float


class Gap(msgspec.Struct, frozen=True, tag="gap", array_like=True):
    """A list of all books with ``mark`` ("" for any) did not hold this row."""

    key: str
    mark: str
    invoked: float
    returned: float
    hit: bool


class Counted(msgspec.Struct, frozen=True, tag="counted", array_like=True):
    """The hot books with ``mark`` were ``count``."""

    mark: str
    count: int
    invoked: float
    returned: float
    hit: bool


class Trouble(msgspec.Struct, frozen=True, tag="trouble", array_like=True):
    """Something raised that must not."""

    where: str
    error: str


class Tally(msgspec.Struct, frozen=True, tag="tally", array_like=True):
    """How often a form was carried out by one process."""

    form: str
    times: int


Note = Intent | Unreached | Paid | Gap | Counted | Trouble | Tally
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Note)


class Notebook:
    """One file of notes a process: a note is one ``write``, so a killed process leaves whole lines."""

    def __init__(self, directory: Path) -> None:
        path = directory / f"{os.getpid()}-{time.monotonic_ns()}.notes"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def add(self, *notes: Note) -> None:
        os.write(self._file, b"".join(_encoder.encode(note) + b"\n" for note in notes))


def read_notes(directory: Path) -> list[Note]:
    notes: list[Note] = []
    for path in sorted(directory.glob("*.notes")):
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        notes += map(_decoder.decode, whole.splitlines())
    return notes
