"""
Queries whose question can be told without compiling SQL.

Most cached lists are rows of one table, with conditions on its own columns, ordered by them, perhaps sliced. For these the description is
read off the ``Query``; anything this module does not know makes it say None, and the compiled SQL becomes the description instead.
"""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import FieldDoesNotExist
from django.db.models.expressions import Col
from django.db.models.lookups import Lookup
from django.db.models.sql import Query
from django.db.models.sql.where import WhereNode

from cache_consistency.capture.reads import is_stock
from cache_consistency.reading.literals import literal

_NO_COLLECTIONS = (
    "annotations", "extra", "combined_queries", "extra_tables", "annotation_select_mask", "extra_select_mask", "extra_order_by",
    "_filtered_relations",
)


def describe(query: Query) -> str | None:
    """Return an ASCII text that two queries share only if they ask the same of the same rows; None if this cannot be told."""
    if not is_plain(query):
        return None
    conditions = _conditions(query.where, query.base_table or query.get_initial_alias())
    ordering = _ordering(query)
    if conditions is None or ordering is None:
        return None
    return f"{cast('Any', query.model)._meta.label} {conditions} {ordering} {query.low_mark}:{query.high_mark}"


def is_plain(query: Query) -> bool:
    """Return whether the query selects whole rows of its model and nothing else."""
    return (
        query.default_cols
        and not query.select
        and query.group_by is None
        and not query.distinct
        and not query.select_related
        and not query.combinator
        and not query.select_for_update
        and query.explain_info is None
        and query.deferred_loading == (frozenset(), True)
        and not cast("Any", query.model)._meta.parents
        and not any(getattr(query, name, None) for name in _NO_COLLECTIONS)
    )


def _conditions(node: WhereNode, base: str | None) -> str | None:
    parts = []
    for child in node.children:
        part = _conditions(child, base) if isinstance(child, WhereNode) else _condition(child, base)
        if part is None:
            return None
        parts.append(part)
    return f"{'NOT ' if node.negated else ''}{node.connector}({' '.join(parts)})"


def _condition(lookup: Any, base: str | None) -> str | None:
    if not isinstance(lookup, Lookup) or not is_stock(type(lookup)) or lookup.bilateral_transforms:
        return None
    column = lookup.lhs
    if type(column) is not Col or column.alias != base or column.target.column is None:
        return None
    value = literal(lookup.rhs)
    return None if value is None else f"{column.target.column} {type(lookup).__name__} {value}"


def _ordering(query: Query) -> str | None:
    given = query.order_by or (query.get_meta().ordering if query.default_ordering else None) or ()
    names = []
    for name in given:
        if not isinstance(name, str) or _own_column(query, name.lstrip("-+")) is None:
            return None
        names.append(name)
    return f"{'' if query.standard_ordering else 'reversed '}[{','.join(names)}]"


def _own_column(query: Query, name: str) -> str | None:
    """Return the column that ordering by ``name`` means, if it is one of the model's own and no join."""
    meta = query.get_meta()
    if name == "pk":
        return meta.pk.column
    try:
        field = meta.get_field(name)
    except FieldDoesNotExist:
        return next((field.column for field in meta.concrete_fields if field.attname == name), None)
    if not field.concrete or (field.is_relation and name != field.attname):
        return None                                                 # a relation is ordered by its model's own ordering: a join
    return field.column
