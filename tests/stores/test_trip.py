"""The trip switch, on a clock that the test moves."""

import pytest

from cache_consistency.stores.trip import FIRST_PAUSE, LONGEST_PAUSE, TripSwitch
from tests.stores.test_contract_memory import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trip(clock: Clock) -> TripSwitch:
    return TripSwitch(clock=clock)


def test_while_nothing_is_wrong_everybody_passes(trip: TripSwitch) -> None:
    assert not trip.tripped
    assert trip.admit()
    assert not trip.succeeded(), "no outage has ended"


def test_after_a_failure_nobody_passes_for_a_pause_then_one_probe(trip: TripSwitch, clock: Clock) -> None:
    assert trip.failed(probe=False)
    assert not trip.admit()
    assert trip.remaining() == FIRST_PAUSE
    clock.now += FIRST_PAUSE
    assert [trip.admit() for _ in range(3)] == [True, False, False]


def test_a_probe_that_gets_an_answer_lets_everybody_pass(trip: TripSwitch, clock: Clock) -> None:
    trip.failed(probe=False)
    clock.now += FIRST_PAUSE
    trip.admit()
    assert trip.succeeded()
    assert not trip.tripped
    assert trip.failed(probe=False), "the next outage begins anew"
    assert trip.remaining() == FIRST_PAUSE


def test_each_failing_probe_doubles_the_pause_up_to_one_second(trip: TripSwitch, clock: Clock) -> None:
    trip.failed(probe=False)
    pauses = []
    for _ in range(5):
        pauses.append(trip.remaining())
        clock.now += pauses[-1]
        assert trip.admit()
        assert not trip.failed(probe=True), "it was tripped already"
    assert pauses == [FIRST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_calls_that_were_under_way_when_it_tripped_do_not_make_the_pause_longer(trip: TripSwitch, clock: Clock) -> None:
    trip.failed(probe=False)
    clock.now += FIRST_PAUSE / 2
    assert not trip.failed(probe=False)
    assert trip.remaining() == FIRST_PAUSE / 2


def test_a_probe_that_never_reports_only_delays_the_next(trip: TripSwitch, clock: Clock) -> None:
    trip.failed(probe=False)
    clock.now += FIRST_PAUSE
    assert trip.admit()
    clock.now += FIRST_PAUSE
    assert trip.admit()
