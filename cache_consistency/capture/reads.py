"""
From a Django ``Query`` to what its answer depends on.

Precise where the base table is pinned by a primary key or a lookup (equality or ``in``, at the top of the conditions), and complete
always: every other table that the SQL names is a dependency on ``any`` write to it. Tables are found in the text of the compiled SQL,
not in the tree of expressions, so that a subquery hidden in an expression that nobody knows is found as well. What the text cannot
vouch for (a function that is not known to be deterministic, a table whose writes nobody sees) is not cached, with the reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.db.models import Field
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In
from django.db.models.sql import Query
from django.db.models.sql.where import AND, WhereNode

from cache_consistency.capture.equality import field_text, is_exact
from cache_consistency.capture.sqltext import scan_sql
from cache_consistency.capture.tagging import table_tags
from cache_consistency.declare import tracked
from cache_consistency.protocol.tags import InexactValue, Tag

MAX_PRECISE = 500
"""More rows than this are named by ``any``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reads:
    """What an answer depends on."""

    tables: frozenset[str]
    tags: tuple[Tag, ...]
    also: tuple[Tag, ...] = ()
    """What it depends on if rows that were asked for by pk are missing."""
    pks: int | None = None
    """How many pks were asked for, if the rows are named by pk."""


@dataclasses.dataclass(frozen=True, slots=True)
class Uncacheable:
    """Why an answer must not be stored."""

    reason: str


def analyse(query: Query, connection: Any, sql: str) -> Reads | Uncacheable:
    """
    Return what the answer to ``query`` depends on.

    :param sql: the text it compiles to on ``connection``.
    """
    scan = scan_sql(sql, connection.vendor, tracked.version())
    if scan.reason:
        return Uncacheable(scan.reason)
    base = query.get_meta().db_table
    tables = scan.tables | {base}
    for table in sorted(tables):
        if tracked.table(table) is None:
            return Uncacheable(f"writes to table {table!r} are not seen: declare its model, or name it in TRACK")
    once = scan.mentions.get(base, 0) == 1 and not query.combined_queries
    precise = named_rows(query, connection) if once else None
    others = tuple(table_tags(connection, table).any for table in sorted(tables) if precise is None or table != base)
    if precise is None:
        return Reads(tables, others)
    return dataclasses.replace(precise, tables=tables, tags=precise.tags + others)


def named_rows(query: Query, connection: Any) -> Reads | None:
    """Return the tags of the base table's rows if the conditions pin a pk or a lookup, else None."""
    meta = query.get_meta()
    found = tracked.table(meta.db_table)
    if found is None:
        return None
    base = query.base_table
    tags, best = table_tags(connection, meta.db_table), None
    for lookup in _pinning(query.where):
        field = lookup.lhs.target
        if lookup.lhs.alias != base or field.column is None or not is_exact(connection, field):
            continue
        values = list(lookup.rhs) if isinstance(lookup, In) else [lookup.rhs]
        if len(values) > MAX_PRECISE or any(value is None or hasattr(value, "resolve_expression") for value in values):
            continue
        try:
            texts = [field_text(connection, field, value) for value in values]
        except InexactValue:
            continue
        if (field,) == tuple(found.pk_fields):
            rows = tuple(dict.fromkeys(tags.row(text) for text in texts))
            return Reads(frozenset(), (tags.bulk, *rows), (tags.new,), pks=len(rows))
        if field in found.lookups and (best is None or (field.unique and not best[0].unique)):
            best = (field, texts)
    if best is None:
        return None
    columns = tuple(dict.fromkeys(tags.col(best[0].column, text) for text in best[1]))
    return Reads(frozenset(), (tags.bulk, *columns))


def _pinning(where: WhereNode) -> Iterable[Any]:
    """Yield the equalities that every row of the result fulfils: those under AND only, never under NOT."""
    if where.negated or (where.connector != AND and len(where.children) > 1):
        return
    for child in where.children:
        if isinstance(child, WhereNode):
            yield from _pinning(child)
        elif isinstance(child, (Exact, In)) and is_stock(type(child)) and type(child.lhs) is Col and isinstance(child.lhs.target, Field):
            if isinstance(child, In) and not isinstance(child.rhs, (list, tuple, set, frozenset)) and not _is_ordered_set(child.rhs):
                continue                                            # a subquery
            if not isinstance(child.rhs, Query):
                yield child


def is_stock(kind: type[Any]) -> bool:
    """Return whether a comparison is one of Django's own for columns: a subclass may compare in any way it likes."""
    return kind.__module__ in {"django.db.models.lookups", "django.db.models.fields.related_lookups"}


def _is_ordered_set(value: object) -> bool:
    return type(value).__name__ == "OrderedSet"
