"""
`CachedQuerySet`: a real QuerySet with the cache behind its evaluation.

Lists of whole instances come out of the model's own codec; everything else (values, aggregates, joins, dates) is cached one floor lower,
by `queries.CachedQuery`. What is read in order to be written asks the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Self, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import EmptyResultSet
from django.db import connections, models, router
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable

from cache_consistency import switches
from cache_consistency.reading.answers import Form, Plainly, RowList, answer, describe_sql
from cache_consistency.reading.lookups import NotByLookup, get_many
from cache_consistency.reading.plans import plan_for
from cache_consistency.reading.queries import CachedQuery, is_cacheable
from cache_consistency.reading.simple import describe, is_plain


class CachedQuerySet(QuerySet[Any]):
    """Evaluates through the cache; filter, slice, paginate and hand it on like any other queryset."""

    _cc_stock = True
    """Nothing that decides which rows ``get`` finds was changed by a subclass."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._cc_stock = is_stock(cls)

    def __init__(self, model: type[Model] | None = None, query: Any = None, using: str | None = None, hints: Any = None) -> None:
        super().__init__(model, query if query is not None else CachedQuery(model), using, hints)

    def cached(self, enabled: bool = True) -> Self:                 # noqa: FBT001, FBT002 - reads as .cached(False), as documented
        """Return a copy that goes through the cache, or (``False``) asks the database."""
        clone: Any = cast("Any", self)._chain()
        clone.query.cc_cached = enabled
        return cast("Self", clone)

    def _uncached(self) -> Self:
        clone: Any = cast("Any", self)._clone()                     # never self, as _chain may be
        clone.query.cc_cached = False
        return cast("Self", clone)

    @property
    def db(self) -> str:
        """The primary, as long as the cache may answer: a replica's answers are older than their tags say, and would be stored."""
        return primary(self) if getattr(self.query, "cc_cached", False) and switches.reads() != "off" else super().db

    def get_many(self, pks: Iterable[Any]) -> dict[Any, Any]:
        """Return ``{pk: instance}`` for those of ``pks`` that there are; each row is an entry of its own, shared with ``get``."""
        wanted = list(pks)
        if wanted and self._cc_stock and _is_pristine(self):
            connection = connections[primary(self)]
            plan = plan_for(self.model, connection)
            if plan is not None:
                try:
                    return get_many(plan, connection, wanted)
                except NotByLookup:
                    pass
        return super().in_bulk(wanted)

    async def aget_many(self, pks: Iterable[Any]) -> dict[Any, Any]:
        return await sync_to_async(self.get_many)(pks)

    def in_bulk(self, id_list: Iterable[Any] | None = None, *, field_name: str = "pk") -> dict[Any, Any]:
        if id_list is not None and field_name == "pk":
            return self.get_many(id_list)
        return super().in_bulk(id_list, field_name=field_name)

    # A stream is never held in memory as a whole, so it is not stored; some databases would otherwise run it as a list.

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:
        return super(CachedQuerySet, self._uncached()).iterator(chunk_size)

    def aiterator(self, chunk_size: int = 2000) -> AsyncIterator[Any]:
        return super(CachedQuerySet, self._uncached()).aiterator(chunk_size)

    def _fetch_all(self) -> None:
        if self._result_cache is None and self._iterable_class is ModelIterable and _is_typed(self):
            try:
                self._result_cache = _instances(self)
            except Plainly:
                self._result_cache = list(ModelIterable(self._uncached()))
        super()._fetch_all()

    # What is read to be written asks the database.

    def delete(self) -> tuple[int, dict[str, int]]:
        return super(CachedQuerySet, self._uncached()).delete()

    def get_or_create(self, defaults: Any = None, **kwargs: Any) -> Any:
        return super(CachedQuerySet, self._uncached()).get_or_create(defaults, **kwargs)

    def update_or_create(self, defaults: Any = None, create_defaults: Any = None, **kwargs: Any) -> Any:
        return super(CachedQuerySet, self._uncached()).update_or_create(defaults, create_defaults, **kwargs)

    delete.alters_data = True                                       # type: ignore[attr-defined]


def primary(queryset: Any) -> str:
    """Return the alias a cached read uses: the one asked for, else the primary, since a replica may be behind its tags."""
    alias: str = queryset._db or router.db_for_write(queryset.model, **queryset._hints)
    return alias


def _is_pristine(queryset: QuerySet[Any]) -> bool:
    """Return whether it asks for any row of its model."""
    query = queryset.query
    return is_plain(query) and is_cacheable(query) and not query.where.children and not query.is_sliced and _is_bare(queryset)


def _is_bare(queryset: QuerySet[Any]) -> bool:
    return (
        queryset._iterable_class is ModelIterable
        and not queryset._known_related_objects                     # type: ignore[attr-defined]
        and not queryset._prefetch_related_lookups                  # type: ignore[attr-defined]
        and _fetches_one_by_one(queryset)
    )


def _is_typed(queryset: CachedQuerySet) -> bool:
    """Return whether its rows are whole rows of its model, so that the model's codec can hold them."""
    query = queryset.query
    return (
        isinstance(query, CachedQuery)
        and is_cacheable(query)
        and is_plain(query)
        and not queryset._known_related_objects                     # type: ignore[attr-defined]
        and _fetches_one_by_one(queryset)
    )


def _fetches_one_by_one(queryset: QuerySet[Any]) -> bool:
    """Return whether its instances load what is deferred as ever: the fetch modes of Django 6.1 are left to Django's own iterable."""
    mode = getattr(queryset, "_fetch_mode", None)
    return mode is None or mode is models.FETCH_ONE


def _instances(queryset: CachedQuerySet) -> list[Any]:
    alias = primary(queryset)
    connection, query = connections[alias], queryset.query
    plan = plan_for(queryset.model, connection)
    if plan is None or switches.reads() == "off":
        raise Plainly
    text, sql, row_for_row = describe_list(query, alias)
    form = Form(plan.codec.fingerprint, plan.codec.encode, plan.codec.decode, reread=True, row_for_row=row_for_row)
    return plan.codec.build_many(answer(query, connection, text, sql, form, lambda: _load(query, alias)), db=alias)


def describe_list(query: Any, alias: str) -> tuple[str, Callable[[], str], bool]:
    """
    Return the description of a list of whole rows, what compiles its SQL if that is needed after all, and whether nothing is joined.

    :raises Plainly: it cannot be told from other lists, or can have no rows.
    """
    simple = describe(query)
    if simple is not None:
        return f"list {simple}", lambda: _compile(query, alias)[0], True
    sql, params = _compile(query, alias)
    return describe_sql("list", connections[alias], sql, params), lambda: sql, False


def _compile(query: Any, alias: str) -> Any:
    """Return the SQL and its parameters; a copy is compiled, for compiling changes a query."""
    try:
        return query.clone().get_compiler(using=alias).as_sql()
    except EmptyResultSet as error:
        raise Plainly from error


def _load(query: Any, alias: str) -> RowList:
    plain = query.clone()
    plain.cc_cached = False
    return [row for chunk in plain.get_compiler(using=alias).execute_sql() for row in chunk]


_DECISIVE = frozenset({
    "get", "filter", "_filter_or_exclude", "_filter_or_exclude_inplace", "_chain", "_clone", "_fetch_all", "__init__", "__iter__",
    "__len__", "__getitem__", "in_bulk", "order_by", "query", "db", "using",
})  # fmt: skip
"""What decides which rows a queryset finds by pk or lookup, and what becomes of them."""


def is_stock(kind: type[QuerySet[Any]]) -> bool:
    """Return whether a queryset class finds rows exactly as Django's, so that a short cut finds the same."""
    strangers = (base for base in kind.__mro__ if base not in (CachedQuerySet, *QuerySet.__mro__))
    return all(_DECISIVE.isdisjoint(vars(base)) for base in strangers)


@lru_cache(maxsize=256)
def cached_class(kind: type[QuerySet[Any]]) -> type[CachedQuerySet]:
    """Return a queryset class that has the methods of ``kind`` and evaluates through the cache."""
    if issubclass(kind, CachedQuerySet):
        return kind
    if kind is QuerySet:
        return CachedQuerySet
    return type(f"Cached{kind.__name__}", (CachedQuerySet, kind), {"__module__": kind.__module__, "__reduce__": _reduce, "_cc_kind": kind})


def _reduce(self: Any) -> Any:
    return _rebuild, (self._cc_kind,), self.__getstate__()


def _rebuild(kind: type[QuerySet[Any]]) -> Any:
    made = cached_class(kind)
    return made.__new__(made)
