"""
One ORM write, from the compiler that means it to the tags of what it changed.

A compiler's ``execute_sql`` opens a `Window`; the cursor asks it about each statement that is sent meanwhile. Only the one with the right
verb and table is the write itself: a SELECT of ids, a profiler's EXPLAIN or SQL of a field's ``pre_save`` is somebody else's. So what
is never sent has no tags, and the query is looked at as it is when it is sent.

===============================================  ===================================================================================
the write                                        learns its rows
===============================================  ===================================================================================
by primary keys, table without lookups           from its WHERE
insert, delete, update of other columns          by RETURNING pk and lookups: on an insert the new ones, else those that stand
update of a lookup                               PostgreSQL: `returning.with_old_values`; SQLite: SELECT first, then RETURNING
more than 500 rows, changed pks, no RETURNING    not at all: ``bulk``
===============================================  ===================================================================================
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models.constants import OnConflict

from cache_consistency import events
from cache_consistency.capture import returning
from cache_consistency.capture.equality import joined_text
from cache_consistency.capture.identity import Unnamed
from cache_consistency.capture.pins import pinned_pks
from cache_consistency.capture.plans import ROW_LIMIT, WritePlan
from cache_consistency.capture.tagging import UNNAMED, table_tags
from cache_consistency.protocol.tags import InexactValue, Tag

Row = tuple[Any, ...]


class Verb(enum.Enum):
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


_STARTS = {Verb.INSERT: ("INSERT", "REPLACE"), Verb.UPDATE: ("UPDATE",), Verb.DELETE: ("DELETE",)}
_LONGEST_START = len("INSERT OR IGNORE INTO ")


class Untracked:
    """The window of a write that concerns nobody: its statement needs no look at its text."""

    __slots__ = ("compiler", "quoted", "starts")

    def __init__(self, compiler: Any, verb: Verb) -> None:
        self.compiler = compiler
        self.starts = _STARTS[verb]
        self.quoted: str = compiler.connection.ops.quote_name(compiler.query.get_meta().db_table)

    def matches(self, sql: object) -> bool:
        """Return whether ``sql`` is the statement of this write."""
        return isinstance(sql, str) and sql.startswith(self.starts) and self.quoted in sql[: _LONGEST_START + len(self.quoted)]


class Window(Untracked):
    """The window of a write to a tracked table."""

    __slots__ = ("asked", "before", "by_pk", "extra", "old", "plan", "verb", "whole")

    def __init__(self, compiler: Any, verb: Verb, plan: WritePlan) -> None:
        super().__init__(compiler, verb)
        self.verb, self.plan = verb, plan
        self.asked = 0
        """How many returned columns belong to the caller."""
        self.extra = 0
        """How many returned columns are ours."""
        self.by_pk: list[Row] | None = None
        """The rows, if the WHERE names them."""
        self.before: tuple[str, returning.Params] | None = None
        """A SELECT to send first (SQLite)."""
        self.old: list[Row] = []
        self.whole = False
        """Whether the rows cannot be known."""

    # -- the statement --------------------------------------------------------------------------------------------------------------

    def compile(self, as_sql: Any) -> Any:
        """Return what the compiler's ``as_sql`` returns, with RETURNING of what the tags need."""
        self.asked = self.extra = 0
        self.by_pk, self.before, self.old = None, None, []
        if self.verb is Verb.INSERT:
            return self._compile_insert(as_sql)
        return self._compile_update(as_sql) if self.verb is Verb.UPDATE else self._compile_delete(as_sql)

    def _can_return(self) -> bool:
        connection, query = self.compiler.connection, self.compiler.query
        if connection.vendor not in {"postgresql", "sqlite"} or not connection.features.can_return_columns_from_insert:
            return False
        if connection.vendor == "sqlite" and not query.get_meta().managed:        # perhaps a virtual table: it has no RETURNING
            return False
        return self.plan.nameable and self.plan.known_to(query.model)

    def _compile_insert(self, as_sql: Any) -> Any:
        statements = as_sql()
        self.whole = len(statements) != 1 or len(self.compiler.query.objs) > ROW_LIMIT or not self._can_return()
        self.asked = len(self.compiler.returning_fields or ())
        if self.whole:
            return statements
        [(sql, params)] = statements
        self.extra = self.plan.width
        return [(f"{sql}{',' if self.asked else ' RETURNING'} {', '.join(self.plan.columns)}", params)]

    def _compile_delete(self, as_sql: Any) -> Any:
        sql, params = as_sql()
        if not sql or self._rows_are_in_the_where():
            return sql, params
        self.whole = not self._can_return()
        if self.whole:
            return sql, params
        self.extra = self.plan.width
        return returning.with_returning(sql, "", self.plan.columns), params

    def _compile_update(self, as_sql: Any) -> Any:
        compiler = self.compiler
        fields = getattr(compiler, "returning_fields", None)
        if fields:
            compiler.returning_fields = None                          # so that the SQL ends with its WHERE
        try:
            sql, params = as_sql()
        finally:
            if fields:
                compiler.returning_fields = fields
        if not sql:
            return sql, params
        asked = self._asked(fields)
        columns = {field.column for field, _, _ in compiler.query.values}
        changed = columns & self.plan.named or self.plan.generated
        if not changed and self._rows_are_in_the_where():
            return (f"{sql} {asked}" if asked else sql), params
        pk_changes = any(field.column in columns for field in self.plan.pk_fields)
        self.whole = pk_changes or not self._can_return()
        where = returning.cut_where(compiler, sql, params, self.plan) if changed and not self.whole else None
        if self.whole or (changed and where is None):
            self.whole = True
            return (f"{sql} {asked}" if asked else sql), params
        if where is not None and compiler.connection.vendor == "postgresql":
            self.extra = 2 * self.plan.width
            return returning.with_old_values(where, asked, self.plan), params
        if where is not None:
            self.before = (returning.select_old(where, self.plan), where.params)
        self.extra = self.plan.width
        return returning.with_returning(sql, asked, self.plan.columns), params

    def _asked(self, fields: Any) -> str:
        """Return the RETURNING clause that the caller asked for, "" for none."""
        if not fields:
            return ""
        text, self.compiler.returning_params = self.compiler.connection.ops.returning_columns(fields)
        self.asked = len(fields)
        return str(text)

    def _rows_are_in_the_where(self) -> bool:
        """Find out whether the WHERE names the rows and the table has no lookups; then nothing needs to be returned."""
        plan = self.plan
        if plan.lookups or not plan.nameable:
            return False
        self.by_pk = pinned_pks(self.compiler.query.where, plan.pk_fields, plan.table.table)
        return self.by_pk is not None

    # -- the tags -------------------------------------------------------------------------------------------------------------------

    def tables(self) -> tuple[str, ...]:
        """Return every tracked table that the statement can change."""
        plan = self.plan
        return (plan.table.table, *plan.table.database_cascades) if self.verb is Verb.DELETE else (plan.table.table,)

    def coarse(self) -> set[Tag]:
        """Return the tags of a write whose rows are not known."""
        return bulk_tags(self.compiler.connection, self.tables())

    def tags(self, rows: Sequence[Row] | None, count: int) -> set[Tag]:
        """
        Return the tags of what the statement changed.

        :param rows: what was returned for us; None: nothing was asked for, or there are too many to look at.
        :param count: how many rows the statement changed; -1: the driver does not say.
        """
        if count == 0 and (self.verb is not Verb.INSERT or self.compiler.query.on_conflict is not None):
            return set()                                              # INSERT … ON CONFLICT DO NOTHING, an UPDATE of nothing
        if self.by_pk is not None:
            return self._precise(self.by_pk)
        if self.whole or rows is None or len(rows) > ROW_LIMIT:
            return self.coarse()
        width = self.plan.width
        return self._precise([part for row in rows for part in (row[:width], row[width:]) if part] + self.old)

    def _precise(self, rows: Sequence[Row]) -> set[Tag]:
        plan, connection = self.plan, self.compiler.connection
        names = table_tags(connection, plan.table.table)
        tags = {names.any}
        keys = len(plan.pk_texts)
        try:
            for row in set(rows):                                     # what stood there and what stands there are mostly the same
                tags.add(names.row(joined_text([text(value) for text, value in zip(plan.pk_texts, row, strict=False)])))
                for (column, text), value in zip(plan.lookup_texts, row[keys:], strict=False):   # rows of a WHERE hold only the pk
                    try:
                        tags.add(names.col(column, text(value)))
                    except InexactValue:
                        continue                                      # no reader can ask for such a value by a tag
        except InexactValue:
            tags.add(names.bulk)
        if len(tags) > 4 * ROW_LIMIT:
            return self.coarse()
        if self.verb is Verb.INSERT:
            tags.add(names.new)
            self._add_bulk_of_upserts(tags, names.bulk, rows)
        elif self.verb is Verb.DELETE and plan.table.database_cascades:
            tags |= bulk_tags(connection, plan.table.database_cascades)
        return tags

    def _add_bulk_of_upserts(self, tags: set[Tag], bulk: Tag, rows: Sequence[Row]) -> None:
        """An upsert does not say what stood there before; nor does an insert whose rows went elsewhere (triggers of partitions)."""
        query = self.compiler.query
        if query.on_conflict == OnConflict.UPDATE or (query.on_conflict is None and len(rows) != len(query.objs)):
            tags.add(bulk)


def bulk_tags(connection: Any, tables: Iterable[str]) -> set[Tag]:
    """Return ``bulk`` and ``any`` of each of ``tables``; `UNNAMED` where they cannot be named."""
    found: set[Tag] = set()
    for table in tables:
        try:
            names = table_tags(connection, table)
        except Unnamed:
            return {UNNAMED}
        found.update((names.bulk, names.any))
    return found


def tags_or_coarse(window: Window, rows: Sequence[Row] | None, count: int) -> set[Tag]:
    """Return `Window.tags`; where working them out fails, the coarse ones: the statement has been executed."""
    try:
        return window.tags(rows, count)
    except Unnamed:                                                   # said and counted where it happened
        return {UNNAMED}
    except Exception:  # noqa: BLE001  # whatever it is: the statement has been executed, and something must be marked
        events.logger.exception("the rows of a write to %s could not be named", window.plan.table.table)
        return window.coarse()
