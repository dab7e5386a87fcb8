"""Switching the app on for one test: the fixture and the context manager."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import TestCase

from cache_consistency import switches
from cache_consistency.capture import hooks, sink
from cache_consistency.conf import app_settings
from cache_consistency.testing.activation import active_cache
from tests.reading.desk import Desk
from tests.reading.models import Thing


@pytest.mark.django_db
def test_inside_the_transaction_of_a_test_reads_are_cached_and_writes_invalidate(cache_consistency: Any) -> None:
    desk = Desk("default", cache_consistency)
    pk = desk.thing("a").pk
    desk.warm(lambda: desk.cached().get(pk=pk))
    desk.plain().filter(pk=pk).update(name="b")
    assert desk.missed(lambda: desk.cached().get(pk=pk)).name == "b"
    with desk.atomic():
        desk.plain().filter(pk=pk).update(name="c")
        assert desk.cached().get(pk=pk).name == "c"
    assert desk.missed(lambda: desk.cached().get(pk=pk)).name == "c"
    desk.hit(lambda: desk.cached().get(pk=pk))


@pytest.mark.django_db
def test_each_test_begins_with_an_empty_store(cache_consistency: Any) -> None:
    desk = Desk("default", cache_consistency)
    pk = desk.thing("a").pk
    desk.missed(lambda: desk.cached().get(pk=pk))


@pytest.mark.django_db
@pytest.mark.cache_consistency(READS="shadow", TTL="5m")
def test_a_mark_gives_settings(cache_consistency: Any) -> None:
    assert (app_settings().READS, app_settings().TTL) == ("shadow", 300.0)


def test_afterwards_everything_is_as_before() -> None:
    before = (switches.active(), hooks.installed(), sink.installed(), app_settings())
    with active_cache() as store:
        assert switches.active()
        assert app_settings().NAMESPACE == store.keyspace.namespace
        assert hooks.installed()
    assert (switches.active(), hooks.installed(), sink.installed(), app_settings()) == before


def test_an_error_in_the_block_leaves_it_as_before_too() -> None:
    before = (switches.active(), hooks.installed(), sink.installed())
    with pytest.raises(ZeroDivisionError), active_cache():
        raise ZeroDivisionError
    assert (switches.active(), hooks.installed(), sink.installed()) == before


class TestInATestCase(TestCase):
    def setUp(self) -> None:
        self.store = self.enterContext(active_cache())

    def test_reads_are_cached_and_writes_invalidate(self) -> None:
        thing = Thing.objects.create(slug="a", name="a")
        Thing.cached.get(pk=thing.pk)  # type: ignore[attr-defined]
        with self.assertNumQueries(0):
            Thing.cached.get(pk=thing.pk)  # type: ignore[attr-defined]
        thing.name = "b"
        thing.save()
        with self.assertNumQueries(1):
            assert Thing.cached.get(pk=thing.pk).name == "b"  # type: ignore[attr-defined]
