"""
The holes of the protocol's specification, each played as a timeline: who does what between which two steps of whom.

``t=n`` in a docstring is the order of events, not a time.
"""

from __future__ import annotations

import pytest

from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.protocol import wishes
from cache_consistency.protocol.entries import Miss
from cache_consistency.protocol.recovery import recover
from cache_consistency.protocol.steps import fetch, fetch_many, write
from tests.protocol.world import BOOKS, EPOCH, Player, ServerClosedTheConnection, ToyStore, World

TAGS = (BOOKS.row("1"), BOOKS.any)


@pytest.fixture
def world() -> World:
    return World()


def reader(world: World) -> Player:
    return Player(world, fetch(world.row("1"), EPOCH, ttl=60.0), pks=("1",))


def writer(world: World, version: int | None, tags: tuple[str, ...] = TAGS) -> Player:
    def commit() -> None:
        world.committed["1"] = version
    return Player(world, write(tags, mark_ttl=world.mark_ttl), commit=commit)


def value(world: World) -> object:
    """Return what a reader who begins now is told."""
    result = reader(world).finish()
    return int(result) if isinstance(result, bytes) else result.value[0]


def is_served(world: World) -> bool:
    """Return whether a reader who begins now is answered by the store; fill nothing."""
    player = reader(world)
    player.step()
    return player.over


def test_a_write_between_take_and_load_leaves_an_entry_that_never_validates(world: World) -> None:
    """t=0 the reader takes versions; t=1 a writer marks, commits, resolves; t=2 the reader loads the new row and stores it."""
    player = reader(world).until(wishes.Load)
    writer(world, 2).finish()
    assert player.finish().value == [2]
    assert world.row("1").key in world.store.entries
    assert not is_served(world)


def test_a_late_fill_after_an_invalidation_is_harmless(world: World) -> None:
    """t=0 the reader loads the old row; t=1 a whole write; t=2 the reader stores the old row; t=3 nobody is served it."""
    player = reader(world).until(wishes.Put)
    writer(world, 2).finish()
    player.finish()
    assert not is_served(world)
    assert value(world) == 2


def test_a_late_fill_never_replaces_what_stands_for_longer_than_a_miss(world: World) -> None:
    """t=0 the old row is loaded; t=1 a write; t=2 another reader fills the new row; t=3 the old fill lands on top of it."""
    late = reader(world).until(wishes.Put)
    writer(world, 2).finish()
    reader(world).finish()
    assert is_served(world)
    late.finish()
    assert not is_served(world)
    assert value(world) == 2
    assert is_served(world)


@pytest.mark.parametrize("at", [wishes.MarkAge, wishes.Commit, wishes.Resolve])
def test_nobody_is_served_between_mark_and_resolve(world: World, at: type[wishes.Wish]) -> None:
    value(world)
    assert is_served(world)
    player = writer(world, 2).until(at)
    assert not is_served(world)
    player.finish()
    assert not is_served(world)


def test_what_is_read_between_commit_and_resolve_is_new_and_is_not_stored(world: World) -> None:
    value(world)
    player = writer(world, 2).until(wishes.Resolve)
    other = reader(world)
    assert other.finish().value == [2]
    assert "Put" not in other.did()
    assert world.told[-1] == wishes.Missed(Miss.PENDING, (*world.row("1").tags, BOOKS.new), world.told[-1].states)  # type: ignore[attr-defined]
    player.finish()


def test_a_fill_that_took_before_the_mark_and_stores_before_commit_is_never_served(world: World) -> None:
    """t=0 TAKE; t=1 MARK; t=2 the old row is loaded and stored; t=3 COMMIT and RESOLVE."""
    player = reader(world).until(wishes.Load)
    change = writer(world, 2).until(wishes.Commit)
    assert player.finish().value == [1]
    assert not is_served(world)
    change.finish()
    assert not is_served(world)


def test_the_first_of_two_writers_on_one_tag_does_not_open_it_for_the_second(world: World) -> None:
    """t=0 A marks; t=1 B marks; t=2 B commits; t=3 A commits and resolves; t=4 the tag is still B's; t=5 B resolves."""
    first = writer(world, 2).until(wishes.Commit)
    second = writer(world, 3).until(wishes.Resolve)
    first.finish()
    world.committed["1"] = 3
    late = reader(world)
    late.finish()
    assert "Put" not in late.did()
    second.finish()
    assert value(world) == 3
    assert is_served(world)


def test_an_entry_filled_before_two_writers_does_not_come_back_when_both_are_gone(world: World) -> None:
    value(world)
    first = writer(world, 2).until(wishes.Commit)
    second = writer(world, 3).until(wishes.Commit)
    second.finish()
    first.finish()
    assert not is_served(world)


def test_a_resolve_that_is_executed_twice_brings_no_old_version_back(world: World) -> None:
    """t=0 RESOLVE; t=1 a fill under its version; t=2 a second write; t=3 the first RESOLVE again, by whoever resends."""
    writer(world, 2).finish()
    value(world)
    assert is_served(world)
    writer(world, 3).finish()
    world.store.resolve(TAGS, "token1")
    assert not is_served(world)
    assert value(world) == 3


def test_a_resolve_that_is_executed_again_leaves_another_writers_mark_alone(world: World) -> None:
    writer(world, 2).finish()
    second = writer(world, 3).until(wishes.Commit)
    world.store.resolve(TAGS, "token1")
    assert not is_served(world)
    second.finish()
    assert world.told == [] or not any(isinstance(wish, wishes.LostMarks) for wish in world.told)


def test_a_commit_whose_acknowledgement_was_lost_is_invalidated_like_any_other(world: World) -> None:
    value(world)
    player = writer(world, 2).until(wishes.Commit)
    player.fail(ServerClosedTheConnection(), after=True)
    with pytest.raises(ServerClosedTheConnection):
        player.finish()
    assert value(world) == 2


def test_an_unanswered_resolve_keeps_readers_off_until_it_is_repeated(world: World) -> None:
    value(world)
    player = writer(world, 2).until(wishes.Resolve)
    player.fail(StoreUnavailable("no answer"))
    player.finish()
    owed = world.told[-1]
    assert not is_served(world)
    assert isinstance(owed, wishes.Owe)
    assert value(world) == 2
    assert not is_served(world)
    world.store.resolve(owed.tags, owed.token)
    assert value(world) == 2
    assert is_served(world)


@pytest.mark.parametrize("arrived", [False, True])
def test_a_write_whose_mark_and_resolve_got_no_answer_is_invalidated_by_what_it_owes(world: World, arrived: bool) -> None:
    value(world)
    player = writer(world, 2).until(wishes.Mark)
    player.fail(StoreUnavailable("no answer"), after=arrived)
    player.until(wishes.Resolve)
    player.fail(StoreUnavailable("no answer"))
    player.finish()
    owed = world.told[-1]
    assert is_served(world) is not arrived, "the documented cost of a store out of reach: stale until the debt is paid"
    assert isinstance(owed, wishes.Owe)
    world.store.resolve(owed.tags, owed.token)
    assert not is_served(world)
    assert value(world) == 2


def test_the_mark_of_a_killed_writer_ends_at_its_deadline_with_a_new_version(world: World) -> None:
    value(world)
    writer(world, 2).until(wishes.Resolve).kill()
    world.store.now += 9.9
    assert value(world) == 2
    assert not is_served(world)
    world.store.now += 0.2
    assert value(world) == 2
    assert is_served(world)


def test_a_dead_token_is_not_kept_alive_by_the_writers_that_follow(world: World) -> None:
    world.store.mark(TAGS, "dead", ttl=10.0)
    for version in range(2, 14):
        world.store.now += 1
        writer(world, version).finish()
    assert value(world) == 13
    assert is_served(world)


def test_a_token_whose_writer_is_over_is_resolved_by_a_reader(world: World) -> None:
    value(world)
    writer(world, 2).until(wishes.Resolve).kill()
    world.finished = 21
    assert Player(world, recover("token1", TAGS)).finish() is True
    assert value(world) == 2
    assert is_served(world)


def test_recovery_that_is_asked_while_the_writer_runs_waits_for_its_end(world: World) -> None:
    value(world)
    slow = writer(world, 2).until(wishes.Commit)
    asker = Player(world, recover("token1", TAGS)).until(wishes.Pause)
    assert not is_served(world)
    slow.step()
    world.finished = 21
    assert asker.finish() is True
    assert value(world) == 2
    slow.finish()
    assert value(world) == 2


def test_an_epoch_that_changes_between_take_and_put_leaves_an_entry_that_never_validates(world: World) -> None:
    player = reader(world).until(wishes.Put)
    world.store.flush()
    player.finish()
    assert not is_served(world)


def test_an_entry_of_an_older_epoch_does_not_come_back_with_its_tags(world: World) -> None:
    """t=0 an entry stands; t=1 the store is emptied; t=2 a dump brings entry and tags back; only the epoch is new."""
    value(world)
    entries, clean = dict(world.store.entries), dict(world.store.clean)
    world.store.flush()
    world.store.entries, world.store.clean = entries, clean
    assert not is_served(world)
    assert value(world) == 1


def test_a_store_emptied_between_mark_and_commit_stores_nothing_for_as_long_as_a_mark_may_live() -> None:
    """t=0 MARK; t=1 FLUSHALL; t=2 a reader takes, loads the old row; t=3 COMMIT; t=4 nobody is served the old row."""
    world = World(store=ToyStore(quarantine=10.0))
    world.store.now += 11
    change = writer(world, 2).until(wishes.Commit)
    world.store.flush()
    late = reader(world)
    assert late.finish().value == [1]
    assert "Put" not in late.did()
    change.step()
    assert not is_served(world)
    assert value(world) == 2
    world.store.now += 10
    change.finish()
    assert value(world) == 2
    assert is_served(world)


def test_an_insert_of_an_unknown_pk_frees_the_answer_that_there_is_no_such_row(world: World) -> None:
    world.committed["1"] = None
    assert value(world) is None
    assert is_served(world)
    writer(world, 1, tags=(BOOKS.new, BOOKS.any)).finish()
    assert value(world) == 1


def test_a_delete_of_a_known_row_frees_its_entry(world: World) -> None:
    value(world)
    writer(world, None).finish()
    assert value(world) is None


def test_a_write_of_rows_nobody_enumerated_frees_every_precise_entry(world: World) -> None:
    value(world)
    writer(world, 2, tags=(BOOKS.bulk, BOOKS.any)).finish()
    assert value(world) == 2


def test_a_write_of_another_row_leaves_the_entry_standing(world: World) -> None:
    value(world)
    writer(world, 1, tags=(BOOKS.row("2"), BOOKS.any)).finish()
    assert is_served(world)


def test_a_batch_never_serves_one_row_from_before_a_write_that_returned(world: World) -> None:
    world.committed["2"] = 1
    questions = [world.row("1"), world.row("2")]
    Player(world, fetch_many(questions, EPOCH, ttl=60.0), pks=("1", "2")).finish()
    writer(world, 2).finish()
    answers = Player(world, fetch_many(questions, EPOCH, ttl=60.0), pks=("1", "2")).finish()
    assert answers.payloads == (None, b"1")
    assert answers.loaded.value == [2]
