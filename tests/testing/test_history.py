"""The checker sees every fault that is put into a good history, and none in a good one."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_consistency.testing.history import Fault, Operation, Outcome, Read, Report, Write, check


def write(version: int, invoked: float, returned: float, outcome: Outcome = Outcome.COMMITTED, *, absent: bool = False) -> Write:
    return Write("book:1", version, invoked, returned, outcome, absent)


def read(version: int | None, invoked: float, returned: float, session: str = "r", *, hit: bool = True) -> Read:
    return Read("book:1", version, invoked, returned, session, hit)


def faults(*operations: Operation, initial: int | None = 0) -> list[Fault]:
    return [finding.fault for finding in check(operations, initial={"book:1": initial}).findings]


W1, W2 = write(1, 1, 2), write(2, 3, 4)


def test_a_read_older_than_a_write_that_had_returned_is_stale() -> None:
    assert faults(W1, W2, read(1, 5, 6)) == [Fault.STALE]


def test_a_read_that_began_while_the_write_ran_may_see_either() -> None:
    assert faults(W1, W2, read(1, 3.5, 6, "a"), read(2, 3.5, 6, "b")) == []


def test_a_read_invoked_at_the_very_instant_of_the_return_may_see_either() -> None:
    assert faults(W1, W2, read(1, 4, 6)) == []


def test_a_read_of_a_version_nobody_wrote_is_dirty() -> None:
    assert faults(W1, W2, read(7, 5, 6)) == [Fault.DIRTY]


def test_a_read_of_an_aborted_write_is_dirty() -> None:
    assert faults(W1, write(2, 3, 4, Outcome.ABORTED), read(2, 5, 6)) == [Fault.DIRTY]


def test_a_read_that_saw_a_write_before_it_was_invoked_is_dirty() -> None:
    assert faults(W1, W2, read(2, 1.5, 2.5)) == [Fault.DIRTY]


@pytest.mark.parametrize("version", [1, 2])
def test_a_write_of_unknown_outcome_may_be_seen_and_need_not_be(version: int) -> None:
    assert faults(W1, write(2, 3, 4, Outcome.UNKNOWN), read(version, 5, 6)) == []


def test_a_session_that_goes_back_is_not_monotone_while_the_write_runs() -> None:
    assert faults(W1, write(2, 3, 9), read(2, 4, 5), read(1, 6, 7)) == [Fault.NOT_MONOTONE]


def test_two_sessions_may_see_a_running_write_in_either_order() -> None:
    assert faults(W1, write(2, 3, 9), read(2, 4, 5, "a"), read(1, 6, 7, "b")) == []


def test_sessions_are_compared_key_by_key() -> None:
    other = Read("book:2", 0, 6, 7, "r")
    assert faults(W1, write(2, 3, 9), read(2, 4, 5), other) == []


def test_a_write_that_committed_late_does_not_hide_a_newer_one() -> None:
    assert faults(write(1, 1, 9), write(2, 2, 3), read(1, 4, 5)) == [Fault.STALE]
    assert faults(write(1, 1, 9), write(2, 2, 3), read(2, 10, 11)) == []


def test_the_version_from_before_the_history_is_right_until_the_first_write_returned() -> None:
    assert faults(read(0, 0, 1), W1) == []
    assert faults(W1, read(0, 3, 4)) == [Fault.STALE]
    assert faults(read(5, 0, 1), initial=5) == []


def test_a_row_that_was_never_there_is_read_as_absent_until_it_is_created() -> None:
    assert faults(read(None, 0, 1), W1, initial=None) == []
    assert faults(W1, read(None, 3, 4), initial=None) == [Fault.STALE]
    assert faults(read(0, 0, 1), W1, initial=None) == [Fault.DIRTY]


def test_an_absent_row_that_was_never_absent_is_dirty() -> None:
    assert faults(W1, read(None, 3, 4)) == [Fault.DIRTY]


def test_a_deleted_row_is_stale_when_it_is_still_seen() -> None:
    gone = write(2, 3, 4, absent=True)
    assert faults(W1, gone, read(1, 5, 6)) == [Fault.STALE]
    assert faults(W1, gone, read(None, 5, 6)) == []


def test_an_absence_from_before_the_row_was_created_again_is_stale() -> None:
    gone, back = write(2, 3, 4, absent=True), write(3, 5, 6)
    assert faults(W1, gone, back, read(None, 7, 8)) == [Fault.STALE]
    assert faults(W1, gone, back, read(None, 5.5, 8)) == []


def test_an_absence_counts_as_the_running_delete_if_that_makes_it_right() -> None:
    first, back, again = write(2, 3, 4, absent=True), write(3, 5, 6), write(4, 7, 9, absent=True)
    assert faults(W1, first, back, again, read(None, 8, 10)) == []
    assert faults(W1, first, back, again, read(None, 6.5, 6.9)) == [Fault.STALE]


def test_an_absence_seen_after_a_row_that_was_created_again_is_not_monotone() -> None:
    gone, back = write(2, 3, 4, absent=True), write(3, 5, 20)
    assert faults(W1, gone, back, read(3, 6, 7), read(None, 8, 9)) == [Fault.NOT_MONOTONE]


def test_the_age_of_a_stale_read_counts_from_the_first_newer_write_that_returned() -> None:
    report = check([W1, W2, write(3, 5, 6), read(1, 10, 11), read(2, 10, 11)])
    assert report.worst_age == 6
    assert sorted(finding.age for finding in report.findings) == [4, 6]


def test_the_report_counts_reads_hits_and_stale_per_million() -> None:
    report = check([W1, W2, *(read(2, 5, 6) for _ in range(999)), read(1, 7, 8, hit=False)])
    assert (report.reads, report.hits, report.writes, report.stale) == (1000, 999, 2, 1)
    assert report.stale_per_million == 1000
    assert not report.is_clean
    assert "1000 reads (99.9% hits), 2 writes: 1 stale = 1000.0 per million, worst 3.000 s, 0 dirty, 0 not monotone" in str(report)
    assert str(report.findings[0]) == ("stale: 'book:1' read as version 1 (miss) by 'r', expected 2 or newer, 3.000000 s out of date")


def test_a_clean_report_names_the_bound_that_its_hits_allow() -> None:
    report = check([W1, *(read(1, 5, 6) for _ in range(3000))])
    assert report.is_clean
    assert report.bound_per_million == 1000
    assert "below 1000.0 per million hits" in str(report)


def test_no_hits_bound_nothing() -> None:
    report = check([])
    assert report == Report()
    assert (report.bound_per_million, report.stale_per_million, report.hit_ratio) == (math.inf, 0, 0)
    assert str(report).startswith("0 reads")


def test_findings_are_few_and_counts_are_complete() -> None:
    report = check([W1, W2, *(read(1, 5, 6) for _ in range(50)), *(read(9, 5, 6) for _ in range(50))], examples=3)
    assert (report.stale, report.dirty, len(report.findings)) == (50, 50, 6)


@pytest.mark.parametrize("writes", [[W1, W1], [write(0, 1, 2)], [W2, write(2, 5, 6, Outcome.UNKNOWN)]])
def test_a_history_in_which_a_version_is_not_unique_proves_nothing(writes: list[Operation]) -> None:
    with pytest.raises(ValueError, match="written twice, or is not above the initial one"):
        check(writes)


def good_history(seed: int, *, keys: int, operations: int) -> list[Operation]:
    """Return what a linearizable store could have produced: every operation acts at one instant between invoke and return."""
    chance = random.Random(seed)
    state: dict[str, tuple[int, bool]] = {}
    history: list[Operation] = []
    busy: dict[str, float] = {}
    for instant in range(1, operations + 1):
        key, session = f"k{chance.randrange(keys)}", f"s{chance.randrange(8)}"
        version, absent = state.get(key, (0, False))
        invoked = max(instant - chance.random() * 5, busy.get(session, 0.0))
        returned = instant + chance.random() * 0.5
        if chance.random() < 0.2:
            gone = chance.random() < 0.2
            outcome = Outcome.UNKNOWN if chance.random() < 0.1 else Outcome.COMMITTED
            state[key] = version + 1, gone
            history.append(Write(key, version + 1, invoked, returned + chance.random() * 20, outcome, gone))
        else:
            history.append(Read(key, None if absent else version, invoked, returned, session, chance.random() < 0.8))
            busy[session] = returned
    return history


@pytest.mark.parametrize("seed", range(20))
def test_a_good_history_has_no_fault_in_whatever_order_it_is_told(seed: int) -> None:
    history = good_history(seed, keys=4, operations=600)
    random.Random(seed).shuffle(history)
    report = check(history)
    assert report.is_clean, report.findings
    assert report.reads > 400


def _stale(history: list[Operation], chance: random.Random) -> list[Operation]:
    """Make one read see what was there two writes before it was invoked."""
    places = [
        (index, older)
        for index, item in enumerate(history)
        if isinstance(item, Read)
        for older in [
            [
                w
                for w in history
                if isinstance(w, Write)
                and w.key == item.key
                and w.returned < item.invoked
                and not w.absent
                and w.outcome is Outcome.COMMITTED
            ]
        ]
        if len(older) > 1
    ]
    index, older = chance.choice(places)
    victim = history[index]
    assert isinstance(victim, Read)
    oldest = min(older, key=lambda w: w.version)
    return [*history[:index], Read(victim.key, oldest.version, victim.invoked, victim.returned, "alone"), *history[index + 1 :]]


def _dirty(history: list[Operation], chance: random.Random) -> list[Operation]:
    """Say that a write aborted which some read has seen."""
    seen = {(item.key, item.version) for item in history if isinstance(item, Read)}
    index = chance.choice([i for i, w in enumerate(history) if isinstance(w, Write) and (w.key, w.version) in seen])
    victim = history[index]
    assert isinstance(victim, Write)
    return [
        *history[:index],
        Write(victim.key, victim.version, victim.invoked, victim.returned, Outcome.ABORTED),
        *history[index + 1 :],
    ]


def _backwards(history: list[Operation], chance: random.Random) -> list[Operation]:
    """Let one session see a running write, and then no longer."""
    end = 10_000.0
    running = Write("back", 1, end, end + 9)
    return [*history, running, Read("back", 1, end + 1, end + 2, "r"), Read("back", 0, end + 3, end + 4, "r")]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("spoil", "count"), [(_stale, "stale"), (_dirty, "dirty"), (_backwards, "not_monotone")])
def test_a_fault_put_into_a_good_history_is_seen(spoil: object, count: str, seed: int) -> None:
    assert callable(spoil)
    history = spoil(good_history(seed, keys=4, operations=600), random.Random(seed))
    assert getattr(check(history), count) >= 1


def slow_check(history: list[Operation]) -> tuple[int, int]:
    """Count stale and dirty reads straight from the definitions, each read against each write."""
    stale = dirty = 0
    for item in history:
        if not isinstance(item, Read):
            continue
        mine = [w for w in history if isinstance(w, Write) and w.key == item.key]
        newest = max((w.version for w in mine if w.outcome is Outcome.COMMITTED and w.returned < item.invoked), default=0)
        matching = [
            w.version
            for w in mine
            if w.outcome is not Outcome.ABORTED
            and w.invoked <= item.returned
            and (w.absent if item.version is None else w.version == item.version)
        ] + ([0] if item.version == 0 else [])
        if not matching:
            dirty += 1
        elif max(matching) < newest:
            stale += 1
    return stale, dirty


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 4), st.booleans(), st.integers(0, 12), st.integers(0, 6), st.sampled_from(Outcome)),
        max_size=14,
    )
)
def test_the_fast_checker_agrees_with_the_definitions(made: list[tuple[bool, int, bool, int, int, Outcome]]) -> None:
    history: list[Operation] = []
    version = 0
    for is_write, seen, absent, invoked, length, outcome in made:
        if is_write:
            version += 1
            history.append(Write("k", version, invoked, invoked + length, outcome, absent))
        else:
            history.append(Read("k", None if absent else seen, invoked, invoked + length, "r"))
    report = check(history)
    assert (report.stale, report.dirty) == slow_check(history)


def test_a_history_of_a_million_operations_is_checked_whole() -> None:
    history: list[Operation] = []
    for turn in range(100_000):
        key, version = f"k{turn % 64}", turn // 64
        history.append(Write(key, version + 1, turn, turn + 0.5))
        history += [Read(key, version + 1, turn + 0.6, turn + 0.7 + step, f"s{step}") for step in range(9)]
    started = time.process_time()
    report = check(history)
    assert report.is_clean
    assert (report.reads, report.writes) == (900_000, 100_000)
    assert time.process_time() - started < 60, "an O(n log n) checker takes a few seconds"
