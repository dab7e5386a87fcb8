"""From what people name (an instance, a queryset, a model, ``"shop.Product:42"``, a tag) to tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Model, QuerySet

from cache_consistency.capture.equality import field_text, is_exact
from cache_consistency.capture.tagging import table_tags
from cache_consistency.declare import tracked
from cache_consistency.declare.labels import parse_label
from cache_consistency.exceptions import InvalidationError
from cache_consistency.protocol.tags import InexactValue, Tag, parts

MAX_ROWS = 500
"""A queryset of more rows than this stands for its whole table."""


def tags_of(targets: Iterable[Any], *, using: str) -> tuple[Tag, ...]:
    """
    Return the tags of everything named, each once.

    :raises InvalidationError: something is none of the forms, is unknown, or is a model whose table is not tracked.
    """
    return tuple(dict.fromkeys(tag for target in targets for tag in _tags(target, using)))


def _tags(target: Any, using: str) -> Iterable[Tag]:
    if isinstance(target, Model):
        return _row_tags(type(target), [target], using)
    if isinstance(target, type) and issubclass(target, Model):
        return _whole(target, using)
    if isinstance(target, QuerySet):
        rows = list(target.using(target._db or using)[:MAX_ROWS + 1])
        return _whole(target.model, using) if len(rows) > MAX_ROWS else _row_tags(target.model, rows, using)
    if isinstance(target, str):
        return _named(target, using)
    raise InvalidationError(f"{target!r} cannot be invalidated: give an instance, a queryset, a model, 'app.Model:pk' or a tag")


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
        found, tags = tracked.table(table), table_tags(connection, table)
        yield tags.any
        yield tags.new
        if found is None or not all(is_exact(connection, field) for field in found.pk_fields) or len(found.pk_fields) != 1:
            yield tags.bulk
            continue
        for row in rows:
            try:
                yield tags.row(_text(connection, found.pk_fields[0], row))
                yield from (tags.col(f.column, _text(connection, f, row)) for f in found.lookups if is_exact(connection, f) and _has(row, f))
            except InexactValue:
                yield tags.bulk


def _has(row: Any, field: Any) -> bool:
    return getattr(row, field.attname, None) is not None


def _text(connection: Any, field: Any, row: Any) -> str:
    return field_text(connection, field, field.get_prep_value(getattr(row, field.attname)))


def _tables(model: type[Model]) -> tuple[str, ...]:
    meta = model._meta.concrete_model._meta                          # type: ignore[union-attr]
    tables = tuple(dict.fromkeys((meta.db_table, *(parent._meta.db_table for parent in meta.all_parents))))
    if tracked.table(tables[0]) is None:
        raise InvalidationError(f"{meta.label} is not tracked: give it a cache_policy, register it, or name it in TRACK")
    return tables
