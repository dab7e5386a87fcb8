"""Primary keys that a WHERE names: a write by them can touch no other row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Field
from django.db.models.sql import Query
from django.db.models.sql.where import AND

_EQUALITIES = {"exact", "in"}


def pinned_pks(where: Any, pk_fields: Sequence[Field[Any, Any]], db_table: str) -> list[tuple[object, ...]] | None:
    """
    Return the pks of all rows that can satisfy ``where``; None: it does not name them.

    Only nodes joined by AND are looked at: further conditions can only make the rows fewer.
    """
    if where.connector != AND or where.negated:
        return None
    for child in where.children:
        if hasattr(child, "children"):
            found = pinned_pks(child, pk_fields, db_table)
        elif getattr(child, "lookup_name", None) in _EQUALITIES:
            found = _of_lookup(child, pk_fields, db_table)
        else:
            continue
        if found is not None:
            return found
    return None


def _of_lookup(lookup: Any, pk_fields: Sequence[Field[Any, Any]], db_table: str) -> list[tuple[object, ...]] | None:
    lhs = lookup.lhs
    if getattr(lhs, "alias", None) != db_table or _is_expression(lookup.rhs):
        return None
    values = [lookup.rhs] if lookup.lookup_name == "exact" else list(lookup.rhs)
    if hasattr(lhs, "targets"):                                       # ColPairs of a composite primary key
        columns = [field.column for field in pk_fields]
        if [target.column for target in lhs.targets] != columns:
            return None
        return _prepared(values, lhs.targets)
    target = getattr(lhs, "target", None)
    if len(pk_fields) != 1 or target is None or target.column != pk_fields[0].column or any(map(_is_expression, values)):
        return None
    return [(value,) for value in values]


def _prepared(values: Iterable[Any], targets: Sequence[Any]) -> list[tuple[object, ...]] | None:
    rows = [tuple(value) for value in values if not _is_expression(value)]
    if any(_is_expression(part) for row in rows for part in row):
        return None
    return [tuple(target.get_prep_value(part) for target, part in zip(targets, row, strict=True)) for row in rows]


def _is_expression(value: object) -> bool:
    return isinstance(value, Query) or hasattr(value, "resolve_expression") or hasattr(value, "as_sql")
