"""
Recording a history: from threads into one list, from processes into one file each, merged afterwards.

What is recorded is appended after the operation has returned, so recording does not order what it observes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from cache_consistency.testing.history import Operation, Outcome, Read, Write

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Operation)


@dataclasses.dataclass(slots=True)
class Reading:
    """What a read found; filled in by whoever reads."""

    version: int | None = None
    hit: bool = True
    discarded: bool = False
    """The read failed or was not meant: leave it out."""


@dataclasses.dataclass(slots=True)
class Writing:
    """What a write did; its version must be set before it ends, else nothing is known of it and nothing is recorded."""

    version: int | None = None
    absent: bool = False
    outcome: Outcome = Outcome.COMMITTED


class Recorder:
    """
    Records operations of the threads of this process.

    :param directory: where each process writes a file of its own, one operation a line; None keeps them in memory.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory
        self._kept: list[Operation] = []
        self._file: tuple[int, int] | None = None  # (process, descriptor): a child of fork opens its own
        self._opening = threading.Lock()

    @contextlib.contextmanager
    def read(self, key: str, *, session: str | None = None) -> Iterator[Reading]:
        """Record one read; ``session`` is by default the process and the thread. A read that raises is left out."""
        reading = Reading()
        invoked = time.monotonic()
        yield reading
        returned = time.monotonic()
        if not reading.discarded:
            self.add(Read(key, reading.version, invoked, returned, session or _who(), reading.hit))

    @contextlib.contextmanager
    def write(self, key: str) -> Iterator[Writing]:
        """Record one write. One that raises has an unknown outcome, unless it is said to be aborted."""
        writing = Writing()
        invoked = time.monotonic()
        try:
            yield writing
        except BaseException:
            if writing.outcome is Outcome.COMMITTED:
                writing.outcome = Outcome.UNKNOWN
            raise
        finally:
            if writing.version is not None:
                self.add(Write(key, writing.version, invoked, time.monotonic(), writing.outcome, writing.absent))

    def add(self, operation: Operation) -> None:
        """Record an operation whose times the caller has measured with ``time.monotonic()``."""
        if self.directory is None:
            self._kept.append(operation)  # one append is atomic between threads
        else:
            os.write(self._descriptor(self.directory), _encoder.encode(operation) + b"\n")

    def operations(self) -> list[Operation]:
        """Return what this process has kept in memory, or what all processes have written so far."""
        return list(self._kept) if self.directory is None else merge(self.directory)

    def close(self) -> None:
        """Close this process's file; recording again opens it again."""
        if self._file is not None and self._file[0] == os.getpid():
            os.close(self._file[1])
        self._file = None

    def _descriptor(self, directory: Path) -> int:
        """
        Return this process's file, open for appending.

        A line is one ``write`` to a file opened with O_APPEND: threads do not mix their lines, and a killed process leaves whole ones.
        """
        with self._opening:
            if self._file is None or self._file[0] != os.getpid():
                path = directory / f"{os.getpid()}-{id(self):x}.jsonl"
                self._file = os.getpid(), os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            return self._file[1]


def merge(directory: Path) -> list[Operation]:
    """
    Return what all processes recorded in ``directory``.

    A last line that was cut off by a kill is left out.

    :raises msgspec.DecodeError: any other line that is not an operation.
    """
    operations: list[Operation] = []
    for path in sorted(directory.glob("*.jsonl")):
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        operations += map(_decoder.decode, whole.splitlines())
    return operations


def _who() -> str:
    return f"{os.getpid()}/{threading.get_ident()}"
