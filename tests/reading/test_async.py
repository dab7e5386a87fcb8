"""The async twins: the same answers from the same entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db.models import Sum

from tests.reading.desk import Desk, seen
from tests.reading.models import Thing

FORMS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Awaitable[Any]]]] = {
    "get": (lambda m: m.get(slug="a"), lambda m: m.aget(slug="a")),
    "get of a queryset": (lambda m: m.filter(stock=1).get(), lambda m: m.filter(stock=1).aget()),
    "count": (lambda m: m.count(), lambda m: m.acount()),
    "exists": (lambda m: m.filter(stock=1).exists(), lambda m: m.filter(stock=1).aexists()),
    "first": (lambda m: m.order_by("-slug").first(), lambda m: m.order_by("-slug").afirst()),
    "last": (lambda m: m.last(), lambda m: m.alast()),
    "latest": (lambda m: m.latest("stock"), lambda m: m.alatest("stock")),
    "earliest": (lambda m: m.earliest("stock"), lambda m: m.aearliest("stock")),
    "aggregate": (lambda m: m.aggregate(Sum("stock")), lambda m: m.aaggregate(Sum("stock"))),
    "in bulk": (lambda m: m.in_bulk(["a"], field_name="slug"), lambda m: m.ain_bulk(["a"], field_name="slug")),
    "contains": (lambda m: m.contains(Thing(pk=1)), lambda m: m.acontains(Thing(pk=1))),
    "list": (lambda m: list(m.order_by("pk")), lambda m: _listed(m.order_by("pk"))),
    "values": (lambda m: list(m.order_by("pk").values("slug")), lambda m: _listed(m.order_by("pk").values("slug"))),
}


async def _listed(queryset: Any) -> list[Any]:
    return [one async for one in queryset]


def test_each_twin_gives_what_its_sync_form_gives_from_the_same_entry(desk: Desk) -> None:
    desk.thing("a", stock=1)
    desk.thing("b", stock=2)
    for name, (plain, twin) in FORMS.items():
        expected = seen(plain(desk.plain()))
        assert seen(plain(desk.cached())) == expected, name
        found, queries = desk.asked(async_to_sync(_awaited), twin, desk.cached())
        assert seen(found) == expected, name
        assert queries == 0, name


async def _awaited(twin: Callable[[Any], Awaitable[Any]], manager: Any) -> Any:
    return await twin(manager)


def test_get_many_has_a_twin(desk: Desk) -> None:
    pk = desk.thing("a").pk
    for manager in (desk.cached(), desk.cached().all(), desk.cached(Thing, "loud")):
        assert list(async_to_sync(manager.aget_many)([pk, 99])) == [pk]


def test_what_is_streamed_is_not_stored(desk: Desk) -> None:
    desk.thing("a").tags.add(desk.tag("red"))

    async def read() -> list[Any]:
        return [one async for one in desk.cached().prefetch_related("tags").aiterator()]

    for _ in range(2):
        found, queries = desk.asked(lambda: async_to_sync(read)())
        assert [one.slug for one in found] == ["a"]
        assert queries == 2


def test_missing_raises_in_the_twin_as_well(desk: Desk) -> None:
    with pytest.raises(Thing.DoesNotExist):
        async_to_sync(desk.cached().aget)(pk=99)


def test_a_write_of_a_twin_ends_what_was_read(desk: Desk) -> None:
    pk = desk.thing("a").pk
    desk.warm(lambda: desk.cached().get(pk=pk))

    async def write() -> None:
        await desk.plain().filter(pk=pk).aupdate(name="async")

    async_to_sync(write)()
    assert desk.cached().get(pk=pk).name == "async"


def test_a_coroutine_inside_atomic_is_not_served_what_its_caller_has_changed(desk: Desk) -> None:
    pk = desk.thing("a").pk
    desk.warm(lambda: desk.cached().get(pk=pk))

    async def read() -> Any:
        return await sync_to_async(lambda: desk.cached().get(pk=pk))()

    with desk.atomic():
        desk.plain().filter(pk=pk).update(name="mine")
        assert async_to_sync(read)().name == "mine"
    assert desk.cached().get(pk=pk).name == "mine"
