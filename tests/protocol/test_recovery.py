"""RECOVER: a token is resolved once everything that ran when it was seen has ended, and never before."""

from __future__ import annotations

import pytest

from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.protocol import wishes
from cache_consistency.protocol.recovery import recover
from cache_consistency.protocol.wishes import Wish
from tests.protocol.world import BOOKS, Player, World

TAGS = (BOOKS.row("1"), BOOKS.any)


@pytest.fixture
def world() -> World:
    world = World()
    world.store.mark(TAGS, "dead", ttl=10.0)
    return world


def test_a_token_is_not_resolved_while_anything_runs_that_may_be_its_writer(world: World) -> None:
    player = Player(world, recover("dead", TAGS))
    for oldest in (10, 19, 20):
        world.finished = oldest
        player.step()
        player.until(wishes.Pause)
    assert "Resolve" not in player.did()
    assert set(world.store.pending) == set(TAGS)


def test_a_token_is_resolved_once_the_oldest_that_runs_began_after_the_question(world: World) -> None:
    world.finished = 21
    player = Player(world, recover("dead", TAGS))
    assert player.finish() is True
    assert player.did() == ["Lease", "Barrier", "Horizon", "Resolve"]
    assert world.store.pending == {}


def test_the_barrier_is_drawn_once_and_the_horizon_again_after_each_pause(world: World) -> None:
    player = Player(world, recover("dead", TAGS)).until(wishes.Pause)
    world.finished = 21
    assert player.finish() is True
    assert player.did() == ["Lease", "Barrier", "Horizon", "Pause", "Horizon", "Resolve"]


def test_one_asker_looks_after_a_token() -> None:
    steps = recover("dead", TAGS)
    assert next(steps) == wishes.Lease("dead")
    with pytest.raises(StopIteration) as end:
        steps.send(False)
    assert end.value.value is False


def test_without_an_oracle_the_deadline_decides() -> None:
    steps = recover("dead", TAGS)
    next(steps)
    assert steps.send(True) == wishes.Barrier()
    with pytest.raises(StopIteration) as end:
        steps.send(None)
    assert end.value.value is False


@pytest.mark.parametrize("at", [wishes.Lease, wishes.Resolve])
def test_a_store_that_does_not_answer_leaves_the_token_to_the_next_reader(world: World, at: type[Wish]) -> None:
    world.finished = 21
    player = Player(world, recover("dead", TAGS)).until(at)
    player.fail(StoreUnavailable("no answer"))
    assert player.finish() is False
    assert set(world.store.pending) == set(TAGS)


def test_an_error_of_the_database_is_the_drivers() -> None:
    steps = recover("dead", TAGS)
    next(steps)
    steps.send(True)
    with pytest.raises(ZeroDivisionError):
        steps.throw(ZeroDivisionError())
