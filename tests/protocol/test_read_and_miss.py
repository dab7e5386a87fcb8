"""READ and MISS, answered by hand: what is asked of store and database, in which order, and what may be stored."""

from __future__ import annotations

import pytest

from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.protocol import entries, wishes
from cache_consistency.protocol.entries import MAX_TAGS, Miss
from cache_consistency.protocol.questions import Answers, Loaded, Payload, Question
from cache_consistency.protocol.steps import fetch, fetch_many
from cache_consistency.protocol.versions import Taken
from tests.protocol.world import BOOKS, EPOCH, Player, World

E1 = b"e" * 24
CLEAN = tuple(b"c" + bytes([letter]) * 41 for letter in b"abc")
QUESTION = Question("cc:e:f:1", b"book 1", (BOOKS.bulk, BOOKS.row("1")), also=(BOOKS.new,))
TAGS = (BOOKS.bulk, BOOKS.row("1"), BOOKS.new)
ROW = Loaded("the row", (Payload(b"row"),))


@pytest.fixture
def world() -> World:
    return World()


def reader(world: World, pk: str = "1", *, may_store: bool = True) -> Player:
    return Player(world, fetch(world.row(pk), EPOCH, ttl=60.0), pks=(pk,), may_store=may_store)


def reader_of_many(world: World, *pks: str) -> Player:
    return Player(world, fetch_many([world.row(pk) for pk in pks], EPOCH, ttl=60.0), pks=pks)


def missed(world: World) -> list[wishes.Missed]:
    return [wish for wish in world.told if isinstance(wish, wishes.Missed)]


def test_a_miss_takes_versions_before_the_database_is_asked_and_stores_under_them() -> None:
    steps = fetch(QUESTION, EPOCH, ttl=60.0)
    assert next(steps) == wishes.Get(("cc:e:f:1", *TAGS, EPOCH))
    assert steps.send([None, None, None, None, E1]) == wishes.Missed(Miss.ABSENT, TAGS, (None, None, None))
    assert steps.send(None) == wishes.MayStore()
    assert steps.send(True) == wishes.Take(TAGS)
    assert steps.send(Taken(E1, True, CLEAN)) == wishes.Load((0,))
    assert steps.send(ROW) == wishes.MayStore()
    put = steps.send(True)
    assert put == wishes.Put((("cc:e:f:1", entries.pack(b"row", epoch=E1, states=CLEAN[:2], canonical=b"book 1")),), 60.0)
    with pytest.raises(StopIteration) as end:
        steps.send(None)
    assert end.value.value is ROW


def test_a_hit_is_one_command_and_never_asks_the_database() -> None:
    raw = entries.pack(b"row", epoch=E1, states=CLEAN[:2], canonical=b"book 1")
    steps = fetch(QUESTION, EPOCH, ttl=60.0)
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send([raw, *CLEAN, E1 + b":generation:0"])
    assert end.value.value == b"row"


def test_an_answer_in_which_the_row_is_missing_also_stands_under_the_tag_of_unknown_inserts(world: World) -> None:
    world.committed.clear()
    assert reader(world).finish().value == [None]
    assert reader(world).finish() == b"None"
    world.store.resolve([BOOKS.new], "somebody")
    again = reader(world)
    assert again.finish().value == [None]
    assert "Load" in again.did()


def test_an_answer_in_which_the_row_is_there_does_not_depend_on_unknown_inserts(world: World) -> None:
    reader(world).finish()
    world.store.resolve([BOOKS.new], "somebody")
    assert reader(world).finish() == b"1"


@pytest.mark.parametrize("many", [False, True])
def test_a_store_that_does_not_answer_is_counted_and_the_database_answers_without_a_store(world: World, many: bool) -> None:
    world.store.down = True
    player = reader_of_many(world, "1") if many else reader(world)
    result = player.finish()
    loaded = result.loaded if many else result
    assert loaded.value == [1]
    assert player.did() == ["Get", "Missed", "Load"]
    assert missed(world)[0].cause is Miss.UNAVAILABLE


def test_a_take_without_an_answer_stores_nothing(world: World) -> None:
    player = reader(world).until(wishes.Take)
    player.fail(StoreUnavailable("no answer"))
    assert player.finish().value == [1]
    assert "Put" not in player.did()


def test_a_connection_that_may_not_store_does_not_even_take(world: World) -> None:
    player = reader(world, may_store=False)
    assert player.finish().value == [1]
    assert player.did() == ["Get", "Missed", "MayStore", "Load"]


def test_a_connection_that_became_dirty_while_it_read_stores_nothing(world: World) -> None:
    player = reader(world).until(wishes.Load)
    player.may_store = False
    player.finish()
    assert "Put" not in player.did()


def test_nothing_is_stored_while_a_tag_is_pending(world: World) -> None:
    world.store.mark([BOOKS.row("1")], "writer", ttl=10.0)
    player = reader(world)
    player.finish()
    assert player.did() == ["Get", "Missed", "MayStore", "Take", "Load"]
    assert missed(world)[0].cause is Miss.PENDING


def test_what_the_database_raises_is_the_callers_and_nothing_is_stored(world: World) -> None:
    player = reader(world).until(wishes.Load)
    player.fail(ZeroDivisionError())
    assert isinstance(player.error, ZeroDivisionError)
    assert world.store.entries == {}


def test_an_answer_that_cannot_be_stored_is_returned_and_nothing_is_put() -> None:
    steps = fetch(QUESTION, EPOCH, ttl=60.0)
    for answer in (None, [None] * 5, None, True, Taken(E1, True, CLEAN)):
        steps.send(answer)
    loaded = Loaded("unstorable", (None,))
    assert steps.send(loaded) == wishes.MayStore()
    with pytest.raises(StopIteration) as end:
        steps.send(True)
    assert end.value.value is loaded


def test_a_question_without_the_missing_case_stands_under_all_its_tags(world: World) -> None:
    question = Question("cc:e:f:list", b"all books", (BOOKS.any,))
    Player(world, fetch(question, EPOCH, ttl=60.0), pks=("1",)).finish()
    assert Player(world, fetch(question, EPOCH, ttl=60.0)).finish() == b"1"
    world.store.resolve([BOOKS.any], "somebody")
    assert Player(world, fetch(question, EPOCH, ttl=60.0), pks=("1",)).finish().value == [1]


def test_a_batch_asks_the_database_once_for_all_that_are_misses(world: World) -> None:
    world.committed.update({"2": 7, "3": 9})
    reader(world, "2").finish()
    player = reader_of_many(world, "1", "2", "3")
    answers = player.finish()
    assert answers == Answers((None, b"7", None), (0, 2), answers.loaded)
    assert answers.loaded.value == [1, 9]
    assert player.did().count("Load") == 1
    assert reader_of_many(world, "1", "2", "3").finish() == Answers((b"1", b"7", b"9"))


def test_a_batch_tells_of_each_miss_with_the_states_that_were_seen(world: World) -> None:
    world.store.mark([BOOKS.row("2")], "writer", ttl=10.0)
    reader_of_many(world, "1", "2").finish()
    told = {wish.tags[1]: (wish.cause, wish.states[1]) for wish in missed(world)}
    assert told == {BOOKS.row("1"): (Miss.ABSENT, None), BOOKS.row("2"): (Miss.PENDING, b"p;writer,1010;")}


def test_an_empty_batch_needs_neither_store_entry_nor_database(world: World) -> None:
    player = reader_of_many(world)
    assert player.finish() == Answers(())
    assert player.did() == ["Get"]


def test_a_batch_with_more_tags_than_one_entry_may_have_is_stored_all_the_same(world: World) -> None:
    pks = tuple(map(str, range(MAX_TAGS + 10)))
    world.committed = dict.fromkeys(pks, 1)
    reader_of_many(world, *pks).finish()
    assert reader_of_many(world, *pks).finish() == Answers((b"1",) * len(pks))


def test_an_answer_under_more_tags_than_an_entry_may_have_is_never_stored(world: World) -> None:
    wide = Question("cc:e:f:wide", b"wide", tuple(BOOKS.row(str(n)) for n in range(MAX_TAGS)), also=(BOOKS.new,))
    player = Player(world, fetch(wide, EPOCH, ttl=60.0), pks=("1",))
    assert player.finish().value == [1]
    assert player.did() == ["Get", "Missed", "Load"]


def test_a_wide_question_in_a_batch_does_not_keep_its_neighbours_from_being_stored(world: World) -> None:
    wide = Question("cc:e:f:wide", b"wide", tuple(BOOKS.row(str(n)) for n in range(MAX_TAGS + 1)))
    player = Player(world, fetch_many([wide, world.row("1")], EPOCH, ttl=60.0), pks=("1", "1"))
    player.finish()
    assert set(world.store.entries) == {world.row("1").key}
