"""
What follows from the declarations: the tables whose writes must be seen, and what each of them means.

A declared model brings the tables of its multi-table parents (its rows live in them too), the through tables of its many-to-many relations
and the models its dependencies reach. ``TRACK`` adds more. And a table whose deletes reach one of these by the *database's* own cascades
(Django 6.1) is tracked as well: one DELETE of the parent is all the SQL there is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from django.apps import apps
from django.db.models import Model, deletion

from cache_consistency.conf import app_settings
from cache_consistency.declare import lookups, meta, sources
from cache_consistency.declare.dependencies import reached_from
from cache_consistency.declare.lookups import AnyField
from cache_consistency.declare.policy import CachePolicy
from cache_consistency.exceptions import DeclarationError
from cache_consistency.protocol.tags import name_text

_DATABASE_ON_DELETE: type[Any] | tuple[()] = getattr(deletion, "DatabaseOnDelete", ())


@dataclasses.dataclass(frozen=True, slots=True)
class TrackedTable:
    """One physical table whose writes become tags."""

    table: str
    model: type[Model] | None
    """The concrete model that owns it; ``None`` for a table of ``TRACK`` that no model has."""
    pk_fields: tuple[AnyField, ...]
    """Columns of the primary key: one, several of a composite key, none without a model."""
    lookups: tuple[AnyField, ...]
    """Concrete fields of this table that are lookups, without the pk (a member of a composite pk may be one)."""
    database_cascades: tuple[str, ...]
    """Tracked tables that the database itself changes when rows of this one are deleted, at any depth."""


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that follows from the declarations at one moment."""

    tables: Mapping[str, TrackedTable]
    policies: Mapping[type[Model], CachePolicy]
    names: Mapping[type[Model], Mapping[str, AnyField]]
    """By concrete model with a policy: `lookups.names`."""
    in_tags: Mapping[str, str]
    """Tables by what stands for their names in tags."""


EMPTY = Snapshot(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


def snapshot() -> Snapshot:
    """Build the snapshot; needs all models to be imported."""
    in_force = {model: said[0] for model, said in sources.declarations().items()}
    policies = {model: declaration.policy for model, declaration in in_force.items() if declaration.policy is not None}
    names = {model: lookups.names(model, policy) for model, policy in policies.items()}
    models = {model._meta.db_table: model for model in _models(policies)}
    tables = dict.fromkeys(model._meta.db_table for model in models.values())
    tables.update(dict.fromkeys(_tracked_by_name()))
    reach = _reach(policies)
    tables.update(dict.fromkeys(parent for parent, reached in reach.items() if not reached.isdisjoint(tables)))
    owners = {**{model._meta.db_table: model for model in _known_models(policies)}, **models}
    by_table = _lookups_by_table(names)
    return Snapshot(
        MappingProxyType({table: _tracked(table, owners.get(table), by_table, reach, tables) for table in tables}),
        MappingProxyType(policies), MappingProxyType(names), MappingProxyType({name_text(table): table for table in tables}),
    )


def _tracked(
    table: str, model: type[Model] | None, by_table: Mapping[str, dict[str, AnyField]], reach: Mapping[str, set[str]],
    tables: Iterable[str],
) -> TrackedTable:
    cascades = tuple(sorted(reach.get(table, set()).intersection(tables)))
    fields = tuple(by_table.get(table, {}).values())
    return TrackedTable(table, model, () if model is None else tuple(model._meta.pk_fields), fields, cascades)


def _models(policies: Mapping[type[Model], CachePolicy]) -> Iterator[type[Model]]:
    dependants = [sources.concrete(model) for model in apps.get_models() if meta.dependencies_of(model)]
    for model in [*policies, *dependants]:
        yield from with_parents(model)
        for through in _throughs(model):
            yield from with_parents(through)
    for model in dependants:
        for reached in reached_from(model):
            yield from with_parents(reached)


def with_parents(model: type[Model]) -> Iterator[type[Model]]:
    """Yield the concrete models whose tables together hold the rows of ``model``."""
    own = sources.concrete(model)
    yield own
    yield from (sources.concrete(parent) for parent in own._meta.get_parent_list())


def tables_of(model: type[Model]) -> tuple[str, ...]:
    """Return the tables that the rows of ``model`` are made of: its own first, then those of its multi-table parents."""
    return tuple(dict.fromkeys(part._meta.db_table for part in with_parents(model)))


def _throughs(model: type[Model]) -> Iterator[type[Model]]:
    for field in model._meta.get_fields(include_hidden=True):
        if field.many_to_many:
            through = getattr(field, "through", None) or field.remote_field.through  # type: ignore[union-attr]
            if through is not None:
                yield through


def tables_named(name: str) -> tuple[str, ...]:
    """
    Return the tables that an item of ``TRACK`` means: those of a label (or ``"app.*"``), or the table of that name.

    :raises DeclarationError: it has the form of a label, names no model, and no table of a model is called so.
    """
    known = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    if name in known or "." not in name:
        return (name,)
    return tuple(table for model in sources.models_named(name) for table in tables_of(model))


def _tracked_by_name() -> Iterator[str]:
    for name in app_settings().TRACK:
        try:
            yield from tables_named(name)
        except DeclarationError:
            continue


def _lookups_by_table(names: Mapping[type[Model], Mapping[str, AnyField]]) -> dict[str, dict[str, AnyField]]:
    found: dict[str, dict[str, AnyField]] = {}
    for fields in names.values():
        for field in fields.values():
            if field.column is not None and not field.primary_key:
                table = sources.concrete(field.model)._meta.db_table
                found.setdefault(table, {}).setdefault(field.column, field)
    return found


def _known_models(policies: Iterable[type[Model]]) -> Iterator[type[Model]]:
    """Yield the concrete models of every registry in use (tests register models of isolated ones), managed ones last."""
    registries = {id(apps): apps, **{id(model._meta.apps): model._meta.apps for model in policies}}
    models = [model for registry in registries.values() for model in registry.get_models(include_auto_created=True)]
    yield from sorted((model for model in models if not model._meta.proxy), key=lambda model: model._meta.managed)


def _reach(policies: Iterable[type[Model]]) -> dict[str, set[str]]:
    """Return by table which tables a DELETE of it changes through ``DB_CASCADE``, ``DB_SET_NULL`` and ``DB_SET_DEFAULT``."""
    edges: dict[str, list[tuple[str, bool]]] = {}
    for model in _known_models(policies):
        for field in model._meta.local_concrete_fields:
            remote: Any = field.remote_field
            on_delete = getattr(remote, "on_delete", None)
            if isinstance(on_delete, _DATABASE_ON_DELETE):
                parent = sources.concrete(remote.model)._meta.db_table
                edges.setdefault(parent, []).append((model._meta.db_table, on_delete.operation == "CASCADE"))
    return {table: _follow(table, edges) for table in edges}


def _follow(table: str, edges: Mapping[str, list[tuple[str, bool]]]) -> set[str]:
    reached, waiting = set[str](), [table]
    while waiting:
        for child, rows_go in edges.get(waiting.pop(), []):
            # Where rows go, their own children follow; where only a column is set, the change ends.
            if rows_go and child not in reached:
                waiting.append(child)
            reached.add(child)
    return reached
