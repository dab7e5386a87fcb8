"""Who may be served whose entries: never one database's by another, one tenant's, one time zone's."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import TruncDay
from django.utils import timezone

from cache_consistency import conf
from tests.reading.desk import Desk, Read
from tests.reading.models import Thing


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_two_databases_on_one_store_share_nothing(cache_consistency: Any) -> None:
    here, there = Desk("default", cache_consistency), Desk("other", cache_consistency)
    ours, theirs = here.thing("a", name="here", pk=7), there.thing("a", name="there", pk=7)
    reads: list[Callable[[Any], Any]] = [
        lambda m: m.get(pk=7).name, lambda m: m.get(slug="a").name, lambda m: [one.name for one in m.filter(stock=0)],
        lambda m: list(m.values_list("name", flat=True)), lambda m: m.get_many([7])[7].name, lambda m: m.first()._state.db,
    ]  # fmt: skip
    for read in reads:
        for _ in range(2):
            assert read(here.cached()) == read(here.plain().all() if read is not reads[4] else here.cached().cached(False))
            assert read(there.cached()) != read(here.cached())
    ours.name, theirs.name = "here 2", "there 2"
    theirs.save()
    assert here.hit(lambda: here.cached().get(pk=7)).name == "here"
    assert there.cached().get(pk=7).name == "there 2"
    assert list(Thing.cached.using("other").values_list("name", flat=True)) == ["there 2"]


def test_what_vary_says_is_part_of_every_key(make_desk: Any) -> None:
    tenant = ["one"]
    desk: Desk = make_desk(VARY=lambda connection: tenant[0])
    desk.thing("a")
    reads: list[Read] = [lambda: desk.cached().get(slug="a"), lambda: list(desk.cached().all()), lambda: desk.cached().count(),
                         lambda: list(desk.cached().values("slug"))]  # fmt: skip
    for read in reads:
        desk.warm(read)
    tenant[0] = "two"
    for read in reads:
        desk.warm(read)
    desk.plain().filter(slug="a").update(stock=1)
    for read in reads:
        desk.missed(read)
    tenant[0] = "one"
    for read in reads:
        desk.hit(read)


def test_the_current_time_zone_is_part_of_what_it_changes(desk: Desk) -> None:
    desk.thing("a", made=datetime.datetime(2024, 1, 1, 23, 30, tzinfo=datetime.UTC))
    read: Read = lambda: list(desk.cached().annotate(begin=TruncDay("made")).values_list("begin", "made__day"))  # noqa: E731
    by_date: Read = lambda: desk.cached().filter(made__date=datetime.date(2024, 1, 2)).count()  # noqa: E731
    assert (desk.warm(read)[0][1], desk.warm(by_date)) == (1, 0)
    with timezone.override("Asia/Tokyo"):
        assert (desk.warm(read)[0][1], desk.warm(by_date)) == (2, 1)
    assert (desk.hit(read)[0][1], desk.hit(by_date)) == (1, 0)


def test_the_time_zone_of_the_connection_is_part_of_every_key(desk: Desk, settings: Any) -> None:
    if desk.alias != "default":
        pytest.skip("PostgreSQL keeps moments, not what clocks say")
    desk.thing("a", made=datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC))
    reads: list[Read] = [
        lambda: desk.cached().get(slug="a").made, lambda: desk.cached().filter(slug="a")[0].made,
        lambda: desk.cached().values_list("made", flat=True).get(), lambda: desk.cached().latest("made").made,
    ]  # fmt: skip
    before = [desk.warm(read) for read in reads]
    _live_in(desk.alias, "Asia/Tokyo")
    try:
        assert [read() for read in reads] == [desk.plain().get().made] * 4
        assert [desk.hit(read) for read in reads] == [desk.plain().get().made] * 4
        assert desk.plain().get().made != before[0]
    finally:
        _live_in(desk.alias, None)


def _live_in(alias: str, zone: str | None) -> None:
    """Change a setting of the database, as another process may have it."""
    connection = connections[alias]
    connection.settings_dict["TIME_ZONE"] = zone
    for name in ("timezone", "timezone_name"):
        connection.__dict__.pop(name, None)
    conf.reload()


def test_a_namespace_of_ones_own_shares_nothing(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory")
    desk.thing("a")
    desk.warm(lambda: desk.cached().get(slug="a"))
    other: Desk = make_desk(store="memory")
    other.missed(lambda: other.cached().get(slug="a"))


class Replicas:
    """Reads go to one alias, writes to another."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "other"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_a_replica_is_neither_read_nor_stored_while_the_cache_answers(cache_consistency: Any, settings: Any) -> None:
    settings.DATABASE_ROUTERS = [Replicas()]
    Thing.objects.using("default").create(slug="a", name="primary")
    Thing.objects.using("other").create(slug="a", name="replica")
    reads: dict[str, Callable[[Any], Any]] = {
        "get": lambda m: m.get(slug="a").name, "list": lambda m: m.all()[0].name, "values": lambda m: m.values_list("name", flat=True)[0],
        "count": lambda m: m.filter(name="primary").count() and "primary",
        "exists": lambda m: m.filter(name="primary").exists() and "primary",
        "joined": lambda m: m.select_related("maker")[0].name, "dates": lambda m: m.order_by("-name").values("name")[0]["name"],
    }  # fmt: skip
    for name, read in reads.items():
        assert [read(Thing.cached) for _ in range(2)] == ["primary"] * 2, name
    assert Thing.objects.get().name == "replica"
    assert [one.name for one in Thing.cached.cached(False)] == ["replica"]
    assert next(iter(Thing.cached.iterator())).name == "replica"
    settings.CACHE_CONSISTENCY = {**settings.CACHE_CONSISTENCY, "READS": "off"}
    assert Thing.cached.get().name == "replica"
