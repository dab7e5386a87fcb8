"""
``cached = CachedManager()``: a manager that reads through the cache and changes nothing else about its model.

It does not enter ``_meta.managers``: an ordinary manager that is declared first or alone becomes the default one, with which the admin and
related managers read, and leaves a trace in migrations. This one is an attribute and nothing more.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from asgiref.sync import sync_to_async
from django.db import connections, models, router
from django.db.models.sql import Query

from cache_consistency import switches
from cache_consistency.reading.lookups import NotByLookup, get_instance
from cache_consistency.reading.plans import plan_for
from cache_consistency.reading.queries import CachedQuery
from cache_consistency.reading.querysets import CachedQuerySet, cached_class


class CachedManagerMixin:
    """Make any manager read through the cache: ``class Shop(CachedManagerMixin, models.Manager)``."""

    model: type[models.Model]
    name: str
    _db: str | None
    _hints: dict[str, Any]
    _filters: ClassVar[bool] = False
    """A subclass or a base has a ``get_queryset`` of its own, so a row that exists may still not be one of this manager's."""
    _direct = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        stock = (CachedManagerMixin, models.manager.BaseManager)
        cls._filters = any("get_queryset" in base.__dict__ for base in cls.__mro__ if base not in stock)

    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        self.name, self.model = name, cls
        kind = self._queryset_class                                 # type: ignore[attr-defined]
        self._direct = not self._filters and kind.get is models.QuerySet.get and kind.filter is models.QuerySet.filter
        setattr(cls, name, _Bound(self))

    def get_queryset(self) -> CachedQuerySet:
        plain = super().get_queryset()                              # type: ignore[misc]
        if isinstance(plain, CachedQuerySet):
            return plain
        cached = cached_class(type(plain))(self.model, using=self._db, hints=self._hints)
        cached.__dict__.update({name: value for name, value in plain.__dict__.items() if name != "_query"})
        cached.query = as_cached(plain.query)
        return cached

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """
        Return the one instance that matches, as ``QuerySet.get``; by pk, unique field or declared lookup no SQL is built on a hit.

        :raises DoesNotExist, MultipleObjectsReturned: as Django; that a row is missing is cached, too, until it is inserted.
        """
        if len(kwargs) == 1 and not args and self._direct and switches.reads() != "off":
            connection = connections[self._db or router.db_for_write(self.model, **self._hints)]
            plan = plan_for(self.model, connection)
            if plan is not None:
                (name, value), = kwargs.items()
                lookup = plan.lookups.get(name)
                if lookup is not None:
                    try:
                        return get_instance(plan, connection, lookup, value)
                    except NotByLookup:
                        pass
        return self.get_queryset().get(*args, **kwargs)

    async def aget(self, *args: Any, **kwargs: Any) -> Any:
        return await sync_to_async(self.get)(*args, **kwargs)

    def _copy_for(self, owner: type[models.Model]) -> Self:
        made: Any = self.__class__.__new__(self.__class__)
        made.__dict__.update(self.__dict__)
        made.model = owner
        return made                                                 # type: ignore[no-any-return]


def as_cached(query: Query) -> CachedQuery:
    """Return a copy of a plain query that goes through the cache."""
    made = query.chain()
    if made.__class__ is Query:
        made.__class__ = CachedQuery
    return made                                                     # type: ignore[return-value]


class _Bound:
    """What stands on the model class; each class that inherits it gets a manager of its own."""

    def __init__(self, manager: CachedManagerMixin) -> None:
        self.manager = manager
        self.copies: dict[type[models.Model], CachedManagerMixin] = {manager.model: manager}

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> CachedManagerMixin:
        if instance is not None:
            raise AttributeError(f"Manager isn't accessible via {owner.__name__} instances")
        meta = owner._meta
        if meta.abstract:
            raise AttributeError(f"Manager isn't available; {meta.object_name} is abstract")
        if meta.swapped:
            raise AttributeError(f"Manager isn't available; '{meta.label}' has been swapped for '{meta.swapped}'")
        found = self.copies.get(owner)
        if found is None:
            found = self.copies[owner] = self.manager._copy_for(owner)
        return found


class CachedManager(CachedManagerMixin, models.Manager.from_queryset(CachedQuerySet)):     # type: ignore[misc]
    """The manager to declare: ``cached = CachedManager()``."""
