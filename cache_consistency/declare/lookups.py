"""
Lookups: the fields by whose equality a row is found under a tag of its own.

The pk and unique fields are lookups without being named; a policy names more. Each belongs to the table that holds its column: what a
multi-table child looks up in a field of its parent is a lookup of the *parent's* table, because writes to that table change the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, Model

from cache_consistency.declare.policy import CachePolicy, suggestion
from cache_consistency.exceptions import DeclarationError


class NoColumn(DeclarationError):
    """A lookup on something of the model that has no column of its own: many-to-many, reverse, generic."""


AnyField: TypeAlias = "Field[Any, Any]"


def resolve(model: type[Model], name: str) -> AnyField:
    """
    Return the concrete field that ``name`` (a field's name, or the attname of a foreign key) means as a lookup.

    :raises NoColumn: it has no column of its own in the model's tables.
    :raises DeclarationError: there is no such field.
    """
    fields = {known: field for field in model._meta.concrete_fields for known in (field.name, field.attname)}
    if name == "pk":
        raise DeclarationError("'pk' is a lookup without being named; leave it away.")
    if name in fields:
        return fields[name]
    try:
        found = model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise DeclarationError(f"{name!r} is not a field of {model._meta.label}. {suggestion(name, fields)}") from error
    raise NoColumn(f"{name!r} is {_describe(found)}, which has no column in the tables of {model._meta.label}.")


def _describe(field: Any) -> str:
    if field.many_to_many:
        return "a many-to-many relation"
    if field.auto_created:
        return "a reverse relation"
    return f"a {type(field).__name__}"


def names(model: type[Model], policy: CachePolicy) -> Mapping[str, AnyField]:
    """
    Return every name that finds rows of ``model``, with its field: ``{"pk": …, "id": …, "sku": …, "category": …, "category_id": …}``.

    ``"pk"`` of a composite primary key is the `CompositePrimaryKey`; every other field is concrete. A parent's pk, seen from a multi-table
    child, is the child's link to that parent. Names of the policy that do not resolve are left out.
    """
    meta = model._meta
    found: dict[str, AnyField] = {"pk": meta.pk, meta.pk.name: meta.pk, meta.pk.attname: meta.pk}
    for field in [*unique_fields(model), *_named(model, policy)]:
        own = _own_link(model, field)
        found.setdefault(field.name, own)
        found.setdefault(field.attname, own)
    return MappingProxyType(found)


def unique_fields(model: type[Model]) -> Iterator[AnyField]:
    """Yield the concrete fields, inherited ones included, whose value at most one row has: ``unique``, one-to-one, constraints."""
    alone = set(_alone_unique(model))
    yield from (field for field in model._meta.concrete_fields if field.unique or field.name in alone)


def _alone_unique(model: type[Model]) -> Iterator[str]:
    for owner in [model, *model._meta.get_parent_list()]:
        together = [constraint.fields for constraint in owner._meta.total_unique_constraints]
        yield from (names[0] for names in [*together, *owner._meta.unique_together] if len(names) == 1)


def _named(model: type[Model], policy: CachePolicy) -> Iterator[AnyField]:
    for name in policy.lookups:
        try:
            yield resolve(model, name)
        except DeclarationError:
            continue


def _own_link(model: type[Model], field: AnyField) -> AnyField:
    """Return the child's own link where ``field`` is the pk of a multi-table ancestor: same value, and no join to compare it."""
    owner = field.model._meta.concrete_model
    if owner is None or not field.primary_key or owner is model._meta.concrete_model:
        return field
    link = model._meta.get_ancestor_link(owner)
    return field if link is None else link
