"""Managers of a project's own: what they leave out, add or change is never lost by reading through the cache."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.state import ModelState, ProjectState

from cache_consistency import CachedManager, CachedManagerMixin, CachedQuerySet
from cache_consistency.reading.managers import as_cached
from tests.reading.desk import Desk, Read, counted, seen
from tests.reading.models import LoudQuerySet, Maker, Special, Thing, ThingProxy


@pytest.mark.parametrize("manager", ["living", "own_filter", "narrow"])
def test_a_manager_that_leaves_rows_out_never_serves_them(desk: Desk, manager: str) -> None:
    dead, alive = desk.thing("dead", alive=False), desk.thing("alive")
    desk.cached().get(pk=dead.pk)                                   # there is an entry of the row
    ours: Read = lambda: desk.cached(Thing, manager)  # noqa: E731
    for _ in range(2):
        with pytest.raises(Thing.DoesNotExist):
            ours().get(pk=dead.pk)
        assert ours().get(pk=alive.pk) == alive
        assert list(ours().get_many([dead.pk, alive.pk])) == [alive.pk]
        assert list(ours().in_bulk([dead.pk, alive.pk])) == [alive.pk]
        assert list(ours().filter(stock=0)) == [alive]
    desk.hit(lambda: ours().get(pk=alive.pk))
    desk.plain().filter(pk=alive.pk).update(alive=False)
    with pytest.raises(Thing.DoesNotExist):
        ours().get(pk=alive.pk)


def test_a_get_of_a_base_is_not_hidden(desk: Desk) -> None:
    pk = desk.thing().pk
    assert desk.cached(Thing, "greeting").get(pk=pk).greeted
    assert desk.hit(lambda: desk.cached(Thing, "greeting").get(pk=pk)).greeted


def test_methods_of_a_queryset_class_work_through_the_cache(desk: Desk) -> None:
    desk.thing("cheap", price=1)
    desk.thing("dear", price=100)
    read: Read = lambda: desk.cached(Thing, "loud").cheap().names()  # noqa: E731
    assert desk.warm(read) == ["CHEAP"]
    queryset = desk.cached(Thing, "loud").cheap().order_by("pk")
    assert isinstance(queryset, CachedQuerySet)
    assert isinstance(queryset, LoudQuerySet)
    desk.thing("free")
    assert read() == ["CHEAP", "FREE"]
    assert desk.cached(Thing, "loud").get(slug="dear").price == 100
    desk.hit(lambda: desk.cached(Thing, "loud").get(slug="dear"))


def test_a_plain_queryset_made_by_a_get_queryset_keeps_what_it_is(desk: Desk) -> None:
    class Values(CachedManagerMixin, models.Manager[Any]):
        def get_queryset(self) -> Any:
            return super().get_queryset().values_list("slug", flat=True)

    class Base(models.Manager[Any]):
        def get_queryset(self) -> Any:
            return super().get_queryset().values_list("slug", flat=True)

    class Over(CachedManagerMixin, Base):
        pass

    desk.thing("a")
    for kind in (Values, Over):
        manager = kind()
        manager.model = Thing
        bound = manager.db_manager(desk.alias)
        assert list(bound.all()) == ["a"]
        assert list(desk.hit(list, bound.all())) == ["a"]


def test_instances_of_the_manager_bind_to_an_alias_without_changing_the_original(desk: Desk) -> None:
    manager = Thing.cached
    bound = manager.db_manager(desk.alias)
    assert (bound._db, manager._db, bound.db) == (desk.alias, None, desk.alias)
    thing = desk.thing()
    assert bound.get(pk=thing.pk)._state.db == desk.alias
    assert manager.using(desk.alias).get(pk=thing.pk)._state.db == desk.alias
    assert bound.filter(pk=thing.pk)[0]._state.db == desk.alias


def test_the_default_manager_of_no_model_is_touched() -> None:
    for model in apps.get_app_config("reading_tests").get_models():
        assert not isinstance(model._default_manager, CachedManagerMixin), model
        assert not isinstance(model._base_manager, CachedManagerMixin), model
        assert not any(isinstance(manager, CachedManagerMixin) for manager in model._meta.managers), model
    assert type(Maker(pk=1).things).__mro__[1] is not CachedManager


def test_migrations_see_nothing_of_us() -> None:
    from tests.reading import models as module

    states = [ModelState.from_model(model) for model in apps.get_app_config("reading_tests").get_models()]
    assert not any("cache_policy" in state.options for state in states)
    assert not any(name == "cached" for state in states for name, _ in state.managers)
    before, after = ProjectState(), ProjectState()
    for state in states:
        before.add_model(state.clone())
        after.add_model(state)
    assert MigrationAutodetector(before, after).changes(graph=MigrationGraph()) == {}
    assert module.Thing.cached.model is Thing


def test_each_class_that_inherits_the_manager_has_its_own() -> None:
    cached: list[Any] = [model.cached for model in (Thing, ThingProxy, Special)]
    assert [manager.model for manager in cached] == [Thing, ThingProxy, Special]
    assert Thing.cached is Thing.cached
    assert str(Special.cached) == "reading_tests.Special.cached"


def test_a_mixin_behind_the_manager_it_should_change_is_refused() -> None:
    with pytest.raises(TypeError, match="stands before"):
        class Wrong(models.Manager, CachedManagerMixin):  # type: ignore[type-arg, misc]
            pass


def test_a_cached_manager_alone_called_objects_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="Call it `cached`"):
        class Alone(models.Model):
            objects = CachedManager()

            class Meta:
                app_label = "reading_tests"
    assert "alone" not in apps.all_models["reading_tests"]
    apps._pending_operations.pop(("reading_tests", "alone"), None)  # whoever waits for it


@pytest.mark.parametrize("manager", ["cached", "loud"])
def test_querysets_are_pickled_with_their_results_and_without_them(desk: Desk, manager: str) -> None:
    desk.thing("a")
    queryset = desk.cached(Thing, manager).filter(stock=0)
    expected = seen(desk.plain().filter(stock=0))
    restored = pickle.loads(pickle.dumps(queryset))
    assert type(restored) is type(queryset)
    assert desk.hit(lambda: seen(restored)) == expected
    again = desk.cached(Thing, manager).all()
    again.query = pickle.loads(pickle.dumps(queryset.query))
    assert seen(again) == expected
    assert seen(copy.deepcopy(queryset)) == seen(copy.copy(queryset)) == expected
    pickled = pickle.dumps(desk.cached(Thing, manager).get(slug="a"))
    assert pickle.loads(pickled).slug == "a"


def test_a_query_of_a_foreign_class_is_left_alone() -> None:
    class Own(models.sql.Query):
        pass

    assert as_cached(Own(Thing)).__class__.__name__ == "Own"


def test_hints_and_known_related_objects_reach_the_database(desk: Desk) -> None:
    maker = desk.maker()
    desk.thing("a", maker=maker)
    queryset = desk.cached().filter(maker=maker)
    queryset._known_related_objects = {Thing._meta.get_field("maker"): {maker.pk: maker}}
    assert queryset[0].maker is maker
    assert counted("store_error") == 0
