"""Switches: off, shadow, opted out, no store; each leaves reads right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Sum

from cache_consistency import events, no_cache, stores, switches
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.stores import MemoryStore
from tests.reading.desk import Desk, counted
from tests.reading.models import Thing

READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda m: m.get(slug="a"),
    "get by name": lambda m: m.get(name="a"),
    "list": lambda m: list(m.filter(stock=0)),
    "values": lambda m: list(m.values_list("slug", flat=True)),
    "joined": lambda m: list(m.select_related("maker")),
    "count": lambda m: m.count(),
    "aggregate": lambda m: m.aggregate(Sum("stock")),
    "many": lambda m: m.get_many([1]),
}


@pytest.mark.parametrize("given", [{"READS": "off"}, {"ENABLED": False}, {"CACHE": None}], ids=str)
def test_switched_off_every_read_asks_the_database_and_nothing_is_stored(make_desk: Any, given: dict[str, Any]) -> None:
    desk: Desk = make_desk(**given)
    desk.thing("a")
    for read in READS.values():
        desk.never_cached(lambda read=read: read(desk.cached()))
    assert counted("store") == counted("hit") == counted("miss") == 0


def test_writes_invalidate_while_reads_are_off(make_desk: Any, settings: Any) -> None:
    desk: Desk = make_desk(READS="on")
    desk.thing("a")
    desk.warm(lambda: desk.cached().get(slug="a"))
    on = settings.CACHE_CONSISTENCY
    settings.CACHE_CONSISTENCY = {**on, "READS": "off"}
    desk.plain().update(name="b")
    settings.CACHE_CONSISTENCY = on
    assert desk.missed(lambda: desk.cached().get(slug="a")).name == "b"


def test_the_environment_wins_over_the_setting(make_desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from cache_consistency import conf

    desk: Desk = make_desk()
    desk.thing("a")
    monkeypatch.setenv("CACHE_CONSISTENCY_READS", "off")
    conf.reload()
    try:
        desk.never_cached(lambda: desk.cached().get(slug="a"))
    finally:
        monkeypatch.delenv("CACHE_CONSISTENCY_READS")
        conf.reload()
    desk.warm(lambda: desk.cached().get(slug="a"))


def test_under_a_test_runner_everything_passes_through_unless_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.thing("a")
    assert switches.under_test_runner()
    monkeypatch.setattr(switches, "_asked_by_tests", 0)
    for read in READS.values():
        desk.never_cached(lambda read=read: read(desk.cached()))


def test_a_block_that_opts_out_reads_from_the_database_stores_nothing_and_invalidates(desk: Desk) -> None:
    desk.thing("a")
    for read in READS.values():
        read(desk.cached())
    with no_cache():
        stored = counted("store", "stored")
        for read in READS.values():
            desk.never_cached(lambda read=read: read(desk.cached()))
        assert counted("store", "stored") == stored
        desk.plain().update(name="b")
    assert desk.missed(lambda: desk.cached().get(slug="a")).name == "b"
    desk.hit(lambda: desk.cached().get(slug="a"))


def test_without_a_policy_or_a_store_nothing_but_the_reads_notice(desk: Desk) -> None:
    desk.thing("a")
    with stores.override(None):
        desk.never_cached(lambda: desk.cached().get(slug="a"))
        desk.plain().update(name="b")
    assert desk.cached().get(slug="a").name == "b"


@pytest.mark.parametrize("name", sorted(set(READS) - {"many"}))
def test_in_shadow_the_database_answers_and_hits_are_compared(make_desk: Any, name: str) -> None:
    desk: Desk = make_desk(READS="shadow")
    desk.thing("a")
    read = lambda: READS[name](desk.cached())  # noqa: E731
    for number in range(3):
        assert desk.missed(read) == READS[name](desk.plain()), "one query, as without us"
        assert counted("shadow", "equal") == number
    desk.plain().update(alive=False)
    desk.missed(read)
    assert counted("shadow", "equal") == 2
    assert counted("shadow", "stale") == counted("shadow", "moved") == 0


def test_in_shadow_a_stale_entry_is_counted_and_told_and_not_served(make_desk: Any) -> None:
    desk: Desk = make_desk(READS="shadow")
    desk.thing("a")
    for name in ("get", "list", "values", "count"):
        READS[name](desk.cached())
    told: list[events.Event] = []
    unsubscribe = events.subscribe(told.append)
    with stores.override(None):                                     # whom nobody sees
        desk.plain().create(slug="b", name="b", stock=0)
        desk.plain().filter(slug="a").update(name="unseen")
    for name in ("get", "list", "values", "count"):
        assert READS[name](desk.cached()) == READS[name](desk.plain())
    unsubscribe()
    assert counted("shadow", "stale") == 4
    assert [event.outcome for event in told] == ["stale"] * 4
    assert all(set(event.detail) == {"key"} for event in told), "no values of a query: they may be secrets"


def test_in_shadow_what_was_only_in_flight_has_moved(make_desk: Any) -> None:
    """The entry is written between the look into the cache and the question to the database."""
    class Meddling(MemoryStore):
        meddle: Callable[[], object] | None = None

        def get(self, keys: Any) -> Any:
            found = super().get(keys)
            if self.meddle is not None:
                meddle, self.meddle = self.meddle, None
                meddle()
            return found

    desk: Desk = make_desk(READS="shadow")
    store = Meddling(Keyspace(desk.store.keyspace.namespace))
    with stores.override(store):
        desk.thing("a")
        desk.cached().get(slug="a")
        store.meddle = lambda: desk.plain().update(name="moved")
        assert desk.cached().get(slug="a").name == "moved"
    assert counted("shadow", "moved") == 1


def test_in_shadow_only_a_share_is_compared(make_desk: Any) -> None:
    desk: Desk = make_desk(READS="shadow", SHADOW_SHARE=0)
    desk.thing("a")
    for _ in range(3):
        desk.missed(lambda: desk.cached().get(slug="a"))
    assert counted("shadow") == 0


def test_missing_rows_in_shadow_are_compared_too(make_desk: Any) -> None:
    desk: Desk = make_desk(READS="shadow")
    for _ in range(2):
        with pytest.raises(Thing.DoesNotExist):
            desk.cached().get(slug="none")
    assert counted("shadow", "equal") == 1
