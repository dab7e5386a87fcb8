"""``invalidate`` by hand: every kind of target, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from cache_consistency import events, invalidate, invalidate_everything, stores
from cache_consistency.capture import state
from cache_consistency.capture.tagging import table_tags
from cache_consistency.exceptions import InvalidationError, StoreUnavailable
from cache_consistency.invalidation import targets
from tests.reading.desk import Desk, Read
from tests.reading.models import Maker, Special, Spot, Stranger, Thing, ThingProxy

TABLE = "reading_tests_thing"


def unseen() -> AbstractContextManager[object]:
    """Write as somebody does whom nobody sees."""
    return stores.override(None)


@pytest.fixture
def things(desk: Desk) -> Desk:
    maker = desk.maker()
    for slug in ("a", "b"):
        desk.thing(slug, maker=maker)
    return desk


TARGETS: dict[str, Callable[[Desk], Any]] = {
    "an instance": lambda desk: desk.plain().get(slug="a"),
    "an instance of a proxy": lambda desk: ThingProxy.objects.using(desk.alias).get(slug="a"),
    "a label": lambda desk: f"reading_tests.Thing:{desk.plain().get(slug='a').pk}",
    "a queryset": lambda desk: desk.plain().filter(slug="a"),
    "a cached queryset": lambda desk: desk.cached().filter(slug="a"),
    "a slice": lambda desk: desk.plain().order_by("slug")[:1],
    "the model": lambda desk: Thing,
    "the label of the model": lambda desk: "reading_tests.Thing",
}


@pytest.mark.parametrize("name", TARGETS)
def test_everything_about_the_target_is_asked_again(things: Desk, name: str) -> None:
    desk = things
    pk = desk.plain().get(slug="a").pk
    reads: list[Callable[[], Any]] = [
        lambda: desk.cached().get(pk=pk).stock, lambda: desk.cached().get(slug="a").stock, lambda: desk.cached().get_many([pk])[pk].stock,
        lambda: [one.stock for one in desk.cached().filter(slug="a")],
        lambda: list(desk.cached().order_by("slug").values_list("stock", flat=True)),
        lambda: desk.cached().filter(stock=5).count(),
    ]  # fmt: skip
    target = TARGETS[name](desk)
    before = [read() for read in reads]
    with unseen():
        desk.plain().filter(slug="a").update(stock=5)
    assert [desk.hit(read) for read in reads] == before
    assert invalidate(target, using=desk.alias) > 0
    assert [read() for read in reads] == [5, 5, 5, [5], [5, 0], 1]


def test_another_row_stays_cached(things: Desk) -> None:
    desk = things
    a, b = desk.plain().order_by("slug")
    for one in (a, b):
        desk.warm(desk.cached().get, pk=one.pk)
    invalidate(a)
    desk.hit(lambda: desk.cached().get(pk=b.pk))
    desk.missed(lambda: desk.cached().get(pk=a.pk))


def test_a_tag_is_a_target(things: Desk) -> None:
    desk = things
    pk = desk.plain().get(slug="a").pk
    desk.warm(lambda: desk.cached().get(pk=pk))
    assert invalidate(table_tags(desk.connection, TABLE).row(str(pk)), using=desk.alias) == 1
    desk.missed(lambda: desk.cached().get(pk=pk))


def test_a_row_that_is_gone_is_named_by_its_label(things: Desk) -> None:
    desk = things
    pk = desk.plain().get(slug="a").pk
    desk.warm(lambda: desk.cached().get(pk=pk))
    with unseen():
        desk.plain().filter(pk=pk).delete()
    invalidate(f"reading_tests.Thing:{pk}", using=desk.alias)
    with pytest.raises(Thing.DoesNotExist):
        desk.cached().get(pk=pk)


def test_a_large_queryset_stands_for_its_table(things: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = things
    b = desk.plain().get(slug="b")
    desk.warm(lambda: desk.cached().get(pk=b.pk))
    monkeypatch.setattr(targets, "MAX_ROWS", 1)
    invalidate(desk.plain().all())
    desk.missed(lambda: desk.cached().get(pk=b.pk))


def test_rows_of_two_tables_and_of_composite_keys_are_invalidated(desk: Desk) -> None:
    child = desk.plain(Special).create(slug="s", name="s", extra="e")
    spot = desk.plain(Spot).create(row="A", number=1)
    for target, read in (
        (child, lambda: desk.cached(Special).get(pk=child.pk)), (child, lambda: desk.cached(Thing).get(pk=child.pk)),
        (spot, lambda: desk.cached(Spot).get(pk=("A", 1))), (spot, lambda: desk.cached(Spot).get(row="A")),
    ):  # fmt: skip
        desk.warm(read)
        invalidate(target)
        desk.missed(read)


def test_several_targets_at_once_and_none_at_all(things: Desk) -> None:
    desk = things
    a, b = desk.plain().order_by("slug")
    for one in (a, b):
        desk.warm(desk.cached().get, pk=one.pk)
    assert invalidate(a, b, desk.plain(Maker).get()) > 4
    for one in (a, b):
        desk.missed(desk.cached().get, pk=one.pk)
    assert invalidate(desk.plain().none()) == 0
    with pytest.raises(InvalidationError, match="needs something"):
        invalidate()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nothing at all", "no model"), ("reading_tests.Nothing", "no model"), ("reading_tests.Thing:x", "not a primary key"),
        (7, "cannot be invalidated"), (None, "cannot be invalidated"), (object, "cannot be invalidated"), ([], "cannot be invalidated"),
        (Stranger, "not tracked"), ("reading_tests.Stranger:1", "not tracked"), ("", "no model"),
    ],
)  # fmt: skip
def test_what_cannot_be_invalidated_is_refused_and_nothing_is_done(things: Desk, target: Any, says: str) -> None:
    desk = things
    a = desk.plain().get(slug="a")
    desk.warm(lambda: desk.cached().get(pk=a.pk))
    with pytest.raises(InvalidationError, match=says):
        invalidate(a, target, using=desk.alias)
    desk.hit(lambda: desk.cached().get(pk=a.pk))


def test_a_queryset_of_values_is_refused(things: Desk) -> None:
    with pytest.raises(InvalidationError, match="names no rows"):
        invalidate(things.plain().values("pk"))


def test_inside_a_transaction_it_acts_now_and_again_at_the_commit(things: Desk) -> None:
    desk = things
    a = desk.plain().get(slug="a")
    read: Read = lambda: desk.cached().get(pk=a.pk)  # noqa: E731
    desk.warm(read)
    with desk.atomic():
        invalidate(a)
        assert state.state_of(desk.connection).tags
    desk.missed(read)
    desk.warm(lambda: desk.cached().count())
    with desk.rolled_back():
        invalidate(Thing, using=desk.alias)
    desk.missed(lambda: desk.cached().count())


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_each_target_is_invalidated_where_it_came_from(cache_consistency: Any) -> None:
    here, there = Desk("default", cache_consistency), Desk("other", cache_consistency)
    ours, theirs = here.thing("a"), there.thing("a")
    read_here, read_there = (lambda: here.cached().get(slug="a")), (lambda: there.cached().get(slug="a"))
    here.warm(read_here), there.warm(read_there)
    invalidate(theirs)
    here.hit(read_here), there.missed(read_there)
    invalidate(ours, theirs)
    here.missed(read_here), there.missed(read_there)
    invalidate(there.plain().all())
    here.hit(read_here), there.missed(read_there)
    invalidate(Thing, using="other")
    here.hit(read_here), there.missed(read_there)
    invalidate(Thing)
    here.missed(read_here), there.hit(read_there)


def test_everything_is_invalidated_by_a_new_epoch_and_stored_again_at_once(things: Desk) -> None:
    desk = things
    reads: list[Callable[[], Any]] = [
        lambda: desk.cached().get(slug="a"), lambda: desk.cached().count(), lambda: list(desk.cached(Maker).all()),
    ]  # fmt: skip
    for read in reads:
        desk.warm(read)
    invalidate_everything()
    for read in reads:
        desk.warm(read)


def test_everything_raises_when_the_store_is_away(make_desk: Any) -> None:
    from tests.reading.test_failures import Faulty

    class Away(Faulty):
        def new_epoch(self) -> Any:
            raise StoreUnavailable("away")

    desk: Desk = make_desk(store="memory")
    with stores.override(Away(desk.store.keyspace)), pytest.raises(StoreUnavailable):
        invalidate_everything()
    with stores.override(None):
        invalidate_everything()
        assert invalidate(Thing, using=desk.alias) > 0
    assert events.total("owed") == 0
