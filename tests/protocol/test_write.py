"""WRITE, answered by hand: pending before COMMIT, new versions after it, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest

from cache_consistency.exceptions import StoreRefused, StoreUnavailable
from cache_consistency.protocol import wishes
from cache_consistency.protocol.steps import touch, write
from cache_consistency.protocol.wishes import Wish
from tests.protocol.world import BOOKS, Player, Refused, ServerClosedTheConnection, World

TAGS = (BOOKS.row("1"), BOOKS.any)


@pytest.fixture
def world() -> World:
    return World()


def writer(world: World, version: int | None = 2) -> Player:
    def commit() -> None:
        world.committed["1"] = version
    return Player(world, write(TAGS, mark_ttl=world.mark_ttl), commit=commit)


def test_a_write_marks_commits_and_resolves_in_this_order() -> None:
    steps = write(TAGS, mark_ttl=10.0)
    assert next(steps) == wishes.NewToken()
    assert steps.send("t1") == wishes.Mark(TAGS, "t1")
    assert steps.send(None) == wishes.MarkAge()
    assert steps.send(0.001) == wishes.Commit()
    assert steps.send(None) == wishes.Resolve(TAGS, "t1")
    with pytest.raises(StopIteration):
        steps.send(2)


def test_a_write_gives_every_tag_a_new_version(world: World) -> None:
    before = world.store.take(TAGS).states
    writer(world).finish()
    after = world.store.take(TAGS).states
    assert world.committed["1"] == 2
    assert not set(before) & set(after)


def test_a_mark_that_has_lost_a_quarter_of_its_life_before_commit_is_sent_again(world: World) -> None:
    player = writer(world).until(wishes.MarkAge)
    world.store.now += 2.6
    player.until(wishes.Commit)
    assert player.did() == ["NewToken", "Mark", "MarkAge", "Mark"]
    assert world.store.pending[BOOKS.any][1] == {"token1": world.store.now + 10.0}
    player.finish()
    assert world.told == []


def test_a_mark_of_exactly_a_quarter_is_not_sent_again(world: World) -> None:
    player = writer(world).until(wishes.MarkAge)
    world.store.now += 2.5
    player.finish()
    assert player.did().count("Mark") == 1


@pytest.mark.parametrize("arrived", [False, True])
def test_a_mark_without_an_answer_is_told_the_commit_goes_on_and_the_resolve_is_owed_like_any_other(world: World, arrived: bool) -> None:
    world.store.take(TAGS)
    player = writer(world).until(wishes.Mark)
    lost = StoreUnavailable("no answer")
    player.fail(lost, after=arrived)
    player.finish()
    assert player.did() == ["NewToken", "Mark", "Unmarked", "Commit", "Resolve"]
    assert world.told == [wishes.Unmarked(TAGS, "token1", lost)]
    assert world.store.pending == {}


def test_a_second_mark_without_an_answer_is_told_as_well(world: World) -> None:
    player = writer(world).until(wishes.MarkAge)
    world.store.now += 5
    player.step()
    player.fail(StoreUnavailable("no answer"))
    player.finish()
    assert player.did() == ["NewToken", "Mark", "MarkAge", "Mark", "Unmarked", "Commit", "Resolve"]


def test_a_commit_that_must_not_go_on_unmarked_is_refused_and_the_mark_that_may_have_arrived_is_resolved(world: World) -> None:
    player = writer(world).until(wishes.Mark)
    player.fail(StoreUnavailable("no answer"), after=True)
    player.fail(Refused())
    with pytest.raises(Refused):
        player.finish()
    assert player.did() == ["NewToken", "Mark", "Unmarked", "Resolve"]
    assert world.committed["1"] == 1
    assert world.store.pending == {}


@pytest.mark.parametrize("at", [wishes.Mark, wishes.MarkAge, wishes.Commit])
@pytest.mark.parametrize("after", [False, True])
def test_an_interrupt_on_the_way_to_commit_leaves_no_mark_behind(world: World, at: type[Wish], after: bool) -> None:
    player = writer(world).until(at)
    player.fail(KeyboardInterrupt(), after=after)
    with pytest.raises(KeyboardInterrupt):
        player.finish()
    assert player.did()[-1] == "Resolve"
    assert world.store.pending == {}


@pytest.mark.parametrize("error", [Refused(), ServerClosedTheConnection(), KeyboardInterrupt(), StoreRefused("not of this call")])
@pytest.mark.parametrize("after", [False, True])
def test_whatever_commit_raises_the_tags_are_new_and_the_error_is_the_callers(world: World, error: Any, after: bool) -> None:
    before = world.store.take(TAGS).states
    player = writer(world).until(wishes.Commit)
    player.fail(error, after=after)
    with pytest.raises(type(error)):
        player.finish()
    assert player.error is error
    assert not set(before) & set(world.store.take(TAGS).states)


def test_a_resolve_without_an_answer_is_owed_and_the_write_has_succeeded(world: World) -> None:
    player = writer(world).until(wishes.Resolve)
    player.fail(StoreUnavailable("no answer"))
    assert player.finish() is None
    assert world.told == [wishes.Owe(TAGS, "token1", True)]
    assert world.committed["1"] == 2


def test_a_resolve_without_an_answer_after_a_mark_without_one_is_owed_as_not_marked(world: World) -> None:
    world.store.down = True
    writer(world).finish()
    assert world.told[-1] == wishes.Owe(TAGS, "token1", False)


def test_an_interrupted_resolve_is_owed_and_the_interrupt_goes_on(world: World) -> None:
    player = writer(world).until(wishes.Resolve)
    player.fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        player.finish()
    assert world.told == [wishes.Owe(TAGS, "token1", True)]


def test_an_error_of_commit_is_not_hidden_by_a_resolve_that_is_owed(world: World) -> None:
    player = writer(world).until(wishes.Commit)
    world.store.down = True
    player.fail(ServerClosedTheConnection())
    with pytest.raises(ServerClosedTheConnection):
        player.finish()
    assert world.told == [wishes.Owe(TAGS, "token1", True)]


def test_marks_that_somebody_deleted_are_noticed(world: World) -> None:
    player = writer(world).until(wishes.Commit)
    del world.store.pending[BOOKS.any]
    player.finish()
    assert world.told == [wishes.LostMarks(2, 1)]


def test_marks_that_were_never_acknowledged_are_not_missed(world: World) -> None:
    player = writer(world).until(wishes.Mark)
    player.fail(StoreUnavailable("no answer"))
    player.finish()
    assert not any(isinstance(wish, wishes.LostMarks) for wish in world.told)


def test_touching_tags_is_a_resolve_without_a_mark(world: World) -> None:
    before = world.store.take(TAGS).states
    player = Player(world, touch(TAGS))
    player.finish()
    assert player.did() == ["NewToken", "Resolve"]
    assert not set(before) & set(world.store.take(TAGS).states)
    assert world.told == []


def test_a_touch_without_an_answer_is_owed(world: World) -> None:
    world.store.down = True
    Player(world, touch(TAGS)).finish()
    assert world.told == [wishes.Owe(TAGS, "token1", False)]
