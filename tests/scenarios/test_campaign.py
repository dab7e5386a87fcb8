"""A short campaign on each database in every run of the suite, and the judge shown that it sees what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache_consistency.testing.history import Outcome, Read, Write
from cache_consistency.testing.recorder import Recorder
from cache_consistency.testing.servers import find_postgres, find_redis_server
from tests.scenarios.campaign import Options, run
from tests.scenarios.judging import Verdict, judge
from tests.scenarios.rows import Counted, Gap, Intent, Notebook, Paid, Trouble, Unreached, mark_of
from tests.servers import require

FAULTS = ("flush", "forget-scripts", "kill-writer", "restart-empty", "pause")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_nothing_that_was_promised_is_broken_while_processes_are_killed_and_the_store_comes_and_goes(database: str) -> None:
    require(find_redis_server)
    if database == "postgres":
        require(find_postgres)
    verdict = run(Options(database=database, seconds=8.0, faults=FAULTS, every=2.0))
    assert verdict.is_clean, str(verdict)
    assert verdict.promised.hits > 20, str(verdict)
    assert verdict.promised.writes > 20, str(verdict)


class Told:
    """What the processes of a campaign would have written down."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.recorder, self.notes = Recorder(directory), Notebook(directory)

    def wrote(self, version: int, start: float, end: float, *, absent: bool = False) -> None:
        self.recorder.add(Write("book:1", version, start, end, Outcome.COMMITTED, absent))

    def read(self, version: int | None, start: float, end: float) -> None:
        self.recorder.add(Read("book:1", version, start, end, "s"))

    def verdict(self) -> Verdict:
        return judge(self.directory)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_the_judge_sees_a_stale_read(told: Told) -> None:
    told.wrote(1, 1.0, 2.0)
    told.read(0, 2.5, 2.6)
    assert told.verdict().promised.stale == 1
    assert not told.verdict().is_clean


def test_the_judge_sees_a_row_that_a_list_should_have_held(told: Told) -> None:
    version = next(version for version in range(1, 9) if mark_of(version) != mark_of(0))
    told.wrote(version, 1.0, 2.0)
    told.notes.add(Gap("book:1", mark_of(0), 0.1, 0.2, True))
    told.notes.add(Gap("book:1", mark_of(0), 2.1, 2.2, True))
    told.notes.add(Gap("book:1", mark_of(version), 2.3, 2.4, True))
    assert len(told.verdict().wrong_lists_promised) == 2, "the first and the third: the row was there"


def test_the_judge_sees_a_row_too_many_in_a_count(told: Told) -> None:
    told.notes.add(Counted(mark_of(0), 16, 1.0, 1.1, True), Counted(mark_of(0), 17, 1.0, 1.1, True), Counted("C", 0, 1.0, 1.1, True))
    assert len(told.verdict().wrong_lists_promised) == 1


def test_a_write_that_could_not_reach_the_store_is_promised_when_it_was_paid_for(told: Told) -> None:
    told.wrote(1, 1.0, 2.0)
    told.notes.add(Unreached("book:1", 1), Paid("book:1", 1, 4.0))
    told.read(0, 3.0, 3.1)
    assert told.verdict().all.stale == 1
    assert told.verdict().promised.is_clean
    told.read(0, 4.5, 4.6)
    assert told.verdict().promised.stale == 1


def test_a_row_that_was_seen_gone_before_that_was_promised_may_be_seen_again(told: Told) -> None:
    told.wrote(1, 1.0, 2.0, absent=True)
    told.notes.add(Unreached("book:1", 1), Paid("book:1", 1, 4.0))
    told.read(None, 2.5, 2.6)
    told.read(0, 3.0, 3.1)
    assert told.verdict().promised.is_clean
    assert told.verdict().all.stale == 1


def test_a_write_of_a_killed_process_may_be_seen_and_need_not(told: Told) -> None:
    told.notes.add(Intent("book:1", 1, 1.0))
    told.read(1, 2.0, 2.1)
    told.read(2, 2.2, 2.3)
    verdict = told.verdict()
    assert (verdict.unknown, verdict.promised.stale, verdict.promised.dirty) == (1, 0, 1)


def test_whatever_a_read_raises_is_trouble(told: Told) -> None:
    told.notes.add(Trouble("read get", "StoreError()"))
    assert not told.verdict().is_clean
