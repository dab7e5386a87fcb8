"""Writers that end in the middle: a real process, a real ``os._exit``."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.shelf.stage import Stage

PROGRAM = """
import os, sys
import django
django.setup()
from cache_consistency import stores
from tests.shelf.models import Book
database, pk, move = sys.argv[1], int(sys.argv[2]), sys.argv[3]
store = stores.current()
real = getattr(store, move)
def mark_and_die(*args, **kwargs):
    real(*args, **kwargs)
    os._exit(9)
def die(*args, **kwargs):
    os._exit(9)
if move == "mark":
    store.mark = mark_and_die
else:
    store.resolve = store.resolve_soon = die
Book.objects.using(database).filter(pk=pk).update(version=2)
"""


def kill_a_writer(stage: Stage, environment: dict[str, str], pk: int, *, at: str, mark_ttl: float) -> None:
    """Have another process write this book and die right after MARK, or after COMMIT right before RESOLVE."""
    namespace = stage.store.keyspace.namespace
    ours = {"CACHE": "consistent", "NAMESPACE": namespace, "QUARANTINE": "0", "MARK_TTL": str(mark_ttl), "TIMEOUT": "2"}
    environment = {**environment, **{f"CACHE_CONSISTENCY_{name}": value for name, value in ours.items()}}
    command = [sys.executable, "-c", PROGRAM, stage.database, str(pk), at]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 9, done.stderr


@pytest.mark.parametrize(("at", "left"), [("mark", 1), ("resolve", 2)])
def test_nobody_is_served_the_past_of_a_killed_writer_and_its_mark_ends(
    make_stage: Callable[..., Stage], child_environment: dict[str, str], at: str, left: int
) -> None:
    """t=0 an entry stands; t=1 the writer dies; t=2 its mark keeps readers off the cache; t=3 the mark ends at its deadline."""
    stage = make_stage(MARK_TTL=1.5)
    book = stage.book()
    stage.warm(book.pk)
    kill_a_writer(stage, child_environment, book.pk, at=at, mark_ttl=1.5)
    assert stage.asked(lambda: stage.version(book.pk)) == (left, 1)
    stage.until_served(book.pk)
    assert stage.version(book.pk) == left


@pytest.mark.parametrize(("at", "left"), [("mark", 1), ("resolve", 2)])
def test_on_postgresql_a_reader_finds_out_that_the_writer_is_over(
    make_stage: Callable[..., Stage], child_environment: dict[str, str], at: str, left: int
) -> None:
    """The mark would live for a minute; lists are served again after about a second of patience."""
    stage = make_stage(MARK_TTL=60)
    if stage.connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL can be asked which transactions are over")
    book = stage.book(mark="B")
    def read() -> list[int]:
        return [found.version for found in stage.cached.filter(mark="B")]
    read()
    stage.warm(book.pk)
    kill_a_writer(stage, child_environment, book.pk, at=at, mark_ttl=60)
    began = time.monotonic()
    while stage.asked(read)[1] or stage.served_version(book.pk) is None:
        assert time.monotonic() - began < 10, "the mark of a dead writer keeps everybody off"
    assert stage.asked(read) == ([left], 0)
    assert stage.served_version(book.pk) == left


def test_on_postgresql_a_writer_that_is_merely_slow_keeps_its_mark(make_stage: Callable[..., Stage]) -> None:
    """t=0 MARK; t=1 readers ask whether the writer is over, for longer than their patience; t=2 it is not: COMMIT."""
    from cache_consistency.reading import recovering
    stage = make_stage(MARK_TTL=60)
    if stage.connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL can be asked which transactions are over")
    book = stage.book()
    stage.warm(book.pk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovering, "PATIENCE", 0.0)
        patch.setattr(recovering, "INTERVAL", 0.0)
        with stage.held(lambda: stage.books.filter(pk=book.pk).update(version=2), when="after", move="mark"):
            for _ in range(20):
                assert stage.asked(lambda: stage.version(book.pk))[0] == 1
                assert stage.store.moves["put"] == 1, "only what was stored before the mark"
            assert stage.store.moves["lease"] >= 1, "the readers did ask"
    assert stage.version(book.pk) == 2
