"""From what people name (an instance, a queryset, a model, ``"shop.Product:42"``, a tag) to tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable

from cache_consistency.capture.equality import field_text, is_exact
from cache_consistency.capture.identity import Unnamed
from cache_consistency.capture.tagging import UNNAMED, table_tags
from cache_consistency.declare import tracked
from cache_consistency.declare.labels import parse_label
from cache_consistency.declare.tables import tables_of
from cache_consistency.exceptions import InvalidationError
from cache_consistency.protocol.tags import InexactValue, Tag, parts
from cache_consistency.switches import no_cache

MAX_ROWS = 500
"""A queryset of more rows than this stands for its whole table."""


def tags_of(targets: Iterable[Any], *, using: str) -> tuple[Tag, ...]:
    """
    Return the tags that everything named has in the database ``using``, each once; `UNNAMED` for what cannot be named.

    :raises InvalidationError: something is none of the forms, is unknown, or is a model whose table is not tracked.
    """
    found: dict[Tag, None] = {}
    for target in targets:
        try:
            found.update(dict.fromkeys(_tags(target, using)))
        except Unnamed:
            found[UNNAMED] = None
    return tuple(found)


def database_of(target: Any) -> str:
    """Return the alias of the database that ``target`` belongs to by itself: where an instance came from, where a queryset reads."""
    if isinstance(target, Model):
        return target._state.db or DEFAULT_DB_ALIAS
    alias: str | None = target._db if isinstance(target, QuerySet) else None                # type: ignore[attr-defined]
    return alias or DEFAULT_DB_ALIAS


def _tags(target: Any, using: str) -> Iterable[Tag]:
    if isinstance(target, Model):
        return _row_tags(type(target), [target], using)
    if isinstance(target, type) and issubclass(target, Model):
        return _whole(target, using)
    if isinstance(target, QuerySet):
        return _queryset_tags(target, using)
    if isinstance(target, str):
        return _named(target, using)
    raise InvalidationError(f"{target!r} cannot be invalidated: give an instance, a queryset, a model, 'app.Model:pk' or a tag")


def _queryset_tags(queryset: QuerySet[Any], using: str) -> Iterable[Tag]:
    if not issubclass(queryset._iterable_class, ModelIterable):
        raise InvalidationError(f"a {queryset.model._meta.label} queryset of values names no rows; give one of instances")
    with no_cache():                                                # a stale list would name the wrong rows
        rows = list(queryset.using(using)[: MAX_ROWS + 1])
    return _whole(queryset.model, using) if len(rows) > MAX_ROWS else _row_tags(queryset.model, rows, using)


def _named(text: str, using: str) -> Iterable[Tag]:
    try:
        parts(text)
    except ValueError:
        model, pk = parse_label(text)
    else:
        return (text,)
    if pk is None:
        return _whole(model, using)
    try:
        found = list(model._base_manager.using(using).filter(pk=pk))
        key = model._meta.pk.to_python(pk)
    except (ValueError, TypeError, ValidationError) as error:
        raise InvalidationError(f"{text!r}: {pk!r} is not a primary key of {model._meta.label}: {error}") from error
    return _row_tags(model, found or [model(pk=key)], using)


def _whole(model: type[Model], using: str) -> Iterable[Tag]:
    for table in _tables(model):
        tags = table_tags(connections[using], table)
        yield from (tags.bulk, tags.any, tags.new)


def _row_tags(model: type[Model], rows: list[Any], using: str) -> Iterable[Tag]:
    """Rows, the lists they are in by their present values, and everything that depends on the table as a whole."""
    connection = connections[using]
    for table in _tables(model):
        tags, found = table_tags(connection, table), tracked.table(table)
        if not rows:
            continue
        yield tags.any
        yield tags.new
        if found is None or len(found.pk_fields) != 1 or not is_exact(connection, found.pk_fields[0]):
            yield tags.bulk
            continue
        named = [field for field in found.lookups if is_exact(connection, field)]
        for row in rows:
            try:
                yield tags.row(_text(connection, found.pk_fields[0], row))
                yield from [tags.col(str(field.column), _text(connection, field, row)) for field in named if _has(row, field)]
            except InexactValue:
                yield tags.bulk


def _has(row: Any, field: Any) -> bool:
    return getattr(row, field.attname, None) is not None


def _text(connection: Any, field: Any, row: Any) -> str:
    return field_text(connection, field, field.get_prep_value(getattr(row, field.attname)))


def _tables(model: type[Model]) -> tuple[str, ...]:
    tables = tables_of(model)
    if tracked.table(tables[0]) is None:
        raise InvalidationError(f"{model._meta.label} is not tracked: give it a cache_policy, register it, or name it in TRACK")
    return tables
