import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.demo.board import Board, Count, Counts, Roster, bucket

ROSTER = Roster(
    products=((11, "A-1"), (12, "A-2")),
    customers=(5,),
    categories=(7, 8),
    flashes=("F-1", "F-2"),
    flash_category=9,
    labelled=((11, "A-1"),),
    label=3,
    workers=2,
)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board.create(tmp_path, ROSTER)
    yield board
    board.close()


def test_what_one_process_writes_another_one_reads(board: Board, tmp_path: Path) -> None:
    other = Board.open(tmp_path)
    assert other.roster == ROSTER
    board.raise_product(1, 5)
    board.raise_customer(0, 6)
    board.raise_order_count(0, 7)
    board.raise_category(1, 8)
    assert (other.product(0), other.product(1), list(other.products())) == (0, 5, [0, 5])
    assert (other.customer(0), other.order_count(0), list(other.categories())) == (6, 7, [0, 8])
    other.close()


def test_a_floor_never_sinks(board: Board) -> None:
    board.raise_product(0, 5)
    board.raise_product(0, 3)
    assert board.product(0) == 5


def _raise_to(directory: Path, first: int) -> None:
    board = Board.open(directory)
    for version in range(first, 2000, 2):
        board.raise_product(0, version)
        board.add(first, Count.READS)


def test_writers_that_race_leave_the_highest_floor_and_every_count(board: Board, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_raise_to, args=(tmp_path, first)) for first in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert board.product(0) == 1999
    assert board.counts()[Count.READS] == 2000


def test_pairs_stand_apart(board: Board) -> None:
    board.begin_flash(1, 4)
    board.begin_label(0, 6)
    assert not board.flash(1).settled
    board.finish_flash(1, 4)
    assert board.flash(1).settled
    assert (board.flash(0).begun, board.label(0).begun, board.label(0).done) == (0, 6, 0)


def test_counts_are_summed_and_subtracted(board: Board) -> None:
    board.add(0, Count.READS, 3)
    before = board.counts()
    board.add(1, Count.READS, 4)
    board.add(1, Count.HITS, 3)
    board.add(1, Count.ASKED, 4)
    for micros in (50, 100, 100, 400, 20_000):
        board.add_duration(1, micros * 1e-6)
    rate = board.counts() - before
    assert (rate[Count.READS], rate.hit_ratio) == (4, 0.75)
    assert rate.median_hit == pytest.approx(100e-6, rel=0.1)


def test_nothing_counted_has_neither_ratio_nor_median(board: Board) -> None:
    empty: Counts = board.counts()
    assert (empty.hit_ratio, empty.median_hit) == (None, None)


def test_every_duration_has_a_bucket() -> None:
    assert [bucket(seconds) for seconds in (0.0, 1e-6, 2e-6, 1e9)] == [0, 0, 4, 99]
