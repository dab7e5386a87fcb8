"""What a write to one tracked table has to learn from the database, worked out once for each table and kind of database."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from cache_consistency.capture.equality import is_exact, text_maker
from cache_consistency.declare import tracked
from cache_consistency.declare.tracked import TrackedTable

Text = Callable[[object], str]

ROW_LIMIT = 500
"""More rows than this in one statement are not named one by one."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class WritePlan:
    """Columns of one table whose values become tags, in the order in which they are asked for: the pk's, then the lookups'."""

    table: TrackedTable
    quoted: str
    pk_fields: tuple[Field[Any, Any], ...]
    lookups: tuple[Field[Any, Any], ...]
    """Only those with exact equality: the others have no tags."""
    nameable: bool
    """Whether rows can be named at all: the pk has exact equality."""
    columns: tuple[str, ...]
    """Quoted names of pk and lookup columns."""
    pinned_tail: str
    """How the SQL of a write by one primary key ends."""
    generated: frozenset[str]
    """Lookup columns that the database computes: any update may change them."""
    named: frozenset[str]
    """All columns of `columns`, unquoted."""
    pk_texts: tuple[Text, ...]
    """What makes the text of each pk column's value; none if `nameable` is not."""
    lookup_texts: tuple[tuple[str, Text], ...]
    """Column and what makes the text of its values, for each of `lookups`."""

    @property
    def width(self) -> int:
        return len(self.columns)

    def known_to(self, model: type[Model]) -> bool:
        """Return whether ``model`` has all these columns; a historical model of a migration may not, nor may the table then."""
        if model is self.table.model:
            return True
        return self.named <= {field.column for field in model._meta.concrete_fields}


_plans: dict[tuple[str, str], WritePlan] = {}


def write_plan_for(connection: BaseDatabaseWrapper, db_table: str) -> WritePlan | None:
    """Return the plan of a tracked table; None: nobody is interested in its writes."""
    table = tracked.table(db_table)
    if table is None:
        return None
    key = (connection.vendor, db_table)
    plan = _plans.get(key)
    if plan is None or plan.table is not table:
        plan = _plans[key] = _make(connection, table)
    return plan


def _make(connection: BaseDatabaseWrapper, table: TrackedTable) -> WritePlan:
    quote = connection.ops.quote_name
    quoted = quote(table.table)
    pk_fields: tuple[Any, ...] = table.pk_fields
    lookups: tuple[Any, ...] = tuple(field for field in table.lookups if is_exact(connection, field))
    fields = (*pk_fields, *lookups)
    nameable = bool(pk_fields) and all(is_exact(connection, field) for field in pk_fields)
    return WritePlan(
        table=table, quoted=quoted, pk_fields=pk_fields, lookups=lookups,
        nameable=nameable,
        columns=tuple(f"{quoted}.{quote(field.column)}" for field in fields),
        pinned_tail=f" WHERE {quoted}.{quote(pk_fields[0].column)} = %s" if len(pk_fields) == 1 else "",
        generated=frozenset(field.column for field in lookups if getattr(field, "generated", False)),
        named=frozenset(field.column for field in fields),
        pk_texts=tuple(text_maker(connection, field) for field in pk_fields) if nameable else (),
        lookup_texts=tuple((field.column, text_maker(connection, field)) for field in lookups),
    )
