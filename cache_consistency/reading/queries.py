"""
`CachedQuery`: Django's ``Query``, with the cache behind the execution of what it compiles to.

It works at the lowest place where a query is still a query: rows as the driver gave them are stored and given back, and everything above
(iterables, converters, prefetching, exists, first, dates) is Django's own code. What writes, locks, explains or streams passes through.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, cast

from django.core.exceptions import EmptyResultSet, FieldError, FullResultSet
from django.db import NotSupportedError, connections
from django.db.models import Count, Value
from django.db.models.expressions import Col
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE, MULTI, SINGLE

from cache_consistency import switches
from cache_consistency.codecs.values import decode_rows, encode_rows
from cache_consistency.declare import tracked
from cache_consistency.reading.answers import Form, Plainly, answer, describe_sql

ROWS = Form("rows1", encode_rows, decode_rows)
"""Rows as drivers give them, which say themselves of what type they are."""
ROWS_OF_TABLE = dataclasses.replace(ROWS, row_for_row=True)


_COUNT = Count("*")


class CachedQuery(Query):
    """A query whose results may come from the cache; `cc_cached` is copied with it like any other attribute."""

    cc_cached = True

    def get_compiler(  # Django's signature
        self, using: str | None = None, connection: Any = None, elide_empty: bool = True,  # noqa: FBT001, FBT002
    ) -> SQLCompiler:
        compiler: SQLCompiler = super().get_compiler(using=using, connection=connection, elide_empty=elide_empty)
        if self.__class__ is CachedQuery and is_cacheable(self) and compiler.using is not None:
            cast("Any", compiler).execute_sql = _CachedExecution(compiler)
        return compiler

    def get_aggregation(self, using: str, aggregate_exprs: dict[str, Any]) -> dict[str, Any]:
        """Answer ``count()`` and ``aggregate()``; the question is the query's SQL with the aggregates among its columns."""
        if not aggregate_exprs or not is_cacheable(self):
            return super().get_aggregation(using, aggregate_exprs)
        plain: Any = self.clone()
        plain.cc_cached = False

        def ask() -> dict[str, Any]:
            asked: dict[str, Any] = plain.clone().get_aggregation(using, aggregate_exprs)       # it changes the query that is asked
            return asked

        described = _describe_aggregation(plain.clone(), using, aggregate_exprs)
        if described is None:
            return ask()
        (sql, params), names, connection = described, tuple(aggregate_exprs), connections[using]
        try:
            text = describe_sql(f"aggregate {names!a}", connection, sql, params)
            rows = answer(self, connection, text, lambda: sql, ROWS, lambda: [tuple(ask().values())])
        except Plainly:
            return ask()
        return dict(zip(names, rows[0], strict=True))


def is_cacheable(query: Query) -> bool:
    """Return whether this kind of query may be answered by the cache at all now; if not, everything is Django's own."""
    return (
        getattr(query, "cc_cached", False) is True
        and switches.reads() != "off"
        and tracked.policy_for(query.model) is not None             # type: ignore[arg-type]
        and not query.select_for_update
        and query.explain_info is None
        and not query.is_empty()
    )


def form_of(query: Query) -> Form:
    """Return how the rows of a compiled query are kept: joins, groups and functions that return sets make of one row none or many."""
    own = (
        len(query.alias_map) <= 1 and query.group_by is None and not (query.combinator or query.extra or query.extra_tables)
        and all(isinstance(one, (Col, Value)) for one in query.annotations.values())
    )
    return ROWS_OF_TABLE if own else ROWS


def _describe_aggregation(query: CachedQuery, using: str, aggregate_exprs: dict[str, Any]) -> tuple[str, tuple[Any, ...]] | None:
    """Compile, never to be run, a text that says which rows are aggregated, and how."""
    try:
        for alias, expression in aggregate_exprs.items():
            query.add_annotation(expression, f"cc_{alias}", select=True)
        sql, params = query.get_compiler(using).as_sql()
    except (FieldError, EmptyResultSet, FullResultSet, TypeError, ValueError, NotSupportedError, NotImplementedError):
        return None                                                 # an aggregate of aggregates: ask the database
    shown = query.combinator is None or all(one == _COUNT for one in aggregate_exprs.values())
    return (sql, params) if shown else None                         # the text of a union shows no annotation of the whole


class _CachedExecution:
    """Stands in for ``compiler.execute_sql`` of one compiler."""

    def __init__(self, compiler: SQLCompiler) -> None:
        self.compiler = compiler
        self.original: Callable[..., Any] = compiler.execute_sql

    def __call__(  # Django's signature
        self, result_type: str = MULTI, chunked_fetch: bool = False, chunk_size: int = GET_ITERATOR_CHUNK_SIZE,  # noqa: FBT001, FBT002
    ) -> Any:
        compiler, result_type = self.compiler, result_type or ""
        if chunked_fetch or result_type not in (MULTI, SINGLE):
            return self.original(result_type, chunked_fetch=chunked_fetch, chunk_size=chunk_size)
        try:
            sql, params = compiler.as_sql()                         # leaves select and klass_info as the iterables need them
        except EmptyResultSet:
            return self.original(result_type, chunk_size=chunk_size)
        try:
            text = describe_sql(result_type, compiler.connection, sql, params)
            form = form_of(compiler.query)
            rows = answer(compiler.query, compiler.connection, text, lambda: sql, form, lambda: self._run(result_type, chunk_size))
        except Plainly:
            return self.original(result_type, chunk_size=chunk_size)
        if result_type == SINGLE:
            return rows[0] if rows else None
        return [rows] if rows else []

    def _run(self, result_type: str, chunk_size: int) -> list[tuple[Any, ...]]:
        found = self.original(result_type, chunk_size=chunk_size)
        if result_type == SINGLE:
            return [] if found is None else [tuple(found)]
        return list(_flat(found))


def _flat(chunks: Any) -> Iterator[tuple[Any, ...]]:
    for chunk in chunks:
        yield from (tuple(row) for row in chunk)
