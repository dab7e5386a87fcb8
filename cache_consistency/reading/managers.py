"""
``cached = CachedManager()``: a manager that reads through the cache and changes nothing else about its model.

It does not enter ``_meta.managers``: an ordinary manager that is declared first or alone becomes the default one, with which the admin and
related managers read, and leaves a trace in migrations. This one is an attribute and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models, router
from django.db.models.manager import BaseManager
from django.db.models.signals import class_prepared
from django.db.models.sql import Query

from cache_consistency.reading.asynchronous import Elsewhere, aget_instance, aget_many
from cache_consistency.reading.lookups import NotByLookup, get_instance
from cache_consistency.reading.plans import plan_for
from cache_consistency.reading.queries import CachedQuery
from cache_consistency.reading.querysets import CachedQuerySet, cached_class, is_stock


class CachedManagerMixin:
    """Make any manager read through the cache: ``class Shop(CachedManagerMixin, models.Manager)``."""

    model: type[models.Model]
    name: str
    _db: str | None
    _hints: dict[str, Any]
    _direct = False
    """``get`` may go past the queryset: nobody has changed which rows it finds, or what becomes of them."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        order = cls.__mro__
        if BaseManager in order and order.index(BaseManager) < order.index(CachedManagerMixin):
            raise TypeError(f"{cls.__name__}: CachedManagerMixin stands before the manager it changes, in the list of base classes")

    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        self.name, self.model = name, cls
        self._direct = _is_direct(type(self))
        bound = _Bound(self)
        setattr(cls, name, bound)
        if name == "objects":
            class_prepared.connect(bound.must_be_there, sender=cls, weak=False)

    def get_queryset(self) -> CachedQuerySet:
        plain = super().get_queryset()                              # type: ignore[misc]
        if isinstance(plain, CachedQuerySet):
            return plain
        query = as_cached(plain.query)                              # before the rest is copied: asking for it changes the queryset
        kind: Any = type(plain)
        cached = cached_class(kind)(self.model, using=self._db, hints=self._hints)
        cached.__dict__.update({**plain.__dict__, "_query": query})
        return cached

    def get_many(self, pks: Iterable[Any]) -> dict[Any, Any]:
        """As `CachedQuerySet.get_many`."""
        return self.get_queryset().get_many(pks)

    async def aget_many(self, pks: Iterable[Any]) -> dict[Any, Any]:
        """As `get_many`; if each row is a hit, the event loop is not left."""
        wanted = list(pks)
        if wanted and self._direct:
            try:
                return await aget_many(self.model, self._primary, wanted)
            except Elsewhere:
                pass
        return await sync_to_async(self.get_many)(wanted)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """
        Return the one instance that matches, as ``QuerySet.get``; by pk, unique field or declared lookup no SQL is built on a hit.

        :raises DoesNotExist, MultipleObjectsReturned: as Django; that a row is missing is cached, too, until it is inserted.
        """
        if len(kwargs) == 1 and not args and self._direct:
            connection = connections[self._primary()]
            plan = plan_for(self.model, connection)
            if plan is not None:
                (name, value), = kwargs.items()
                lookup = plan.lookups.get(name)
                if lookup is not None:
                    try:
                        return get_instance(plan, connection, lookup, value)
                    except NotByLookup:
                        pass
        return super().get(*args, **kwargs)                         # type: ignore[misc]  # of the manager, which may be a base's own

    async def aget(self, *args: Any, **kwargs: Any) -> Any:
        """As `get`; on a hit the event loop is not left."""
        if len(kwargs) == 1 and not args and self._direct:
            (name, value), = kwargs.items()
            try:
                return await aget_instance(self.model, self._primary, name, value)
            except Elsewhere:
                pass
        return await sync_to_async(self.get)(*args, **kwargs)

    def _primary(self) -> str:
        return self._db or router.db_for_write(self.model, **self._hints)

    def _copy_for(self, owner: type[models.Model]) -> Self:
        made: Any = self.__class__.__new__(self.__class__)
        made.__dict__.update(self.__dict__)
        made.model = owner
        return made                                                 # type: ignore[no-any-return]


def _is_direct(kind: type) -> bool:
    """
    Return whether ``kind.get`` can only mean Django's ``get`` on all rows.

    Not so with a ``get_queryset`` of its own or of a base, which may leave rows out; with a ``get`` of a base, which ours would hide;
    with a queryset class that changed one of the methods that ``get`` is made of.
    """
    stock = (CachedManagerMixin, *models.Manager.__mro__)
    strangers = [base for base in kind.__mro__ if base not in stock]
    for base in strangers:
        made_here = vars(base)
        if "get_queryset" in made_here or "all" in made_here:
            return False
        own_get = made_here.get("get")
        if own_get is not None and getattr(own_get, "__wrapped__", None) is not models.QuerySet.get:
            return False                                            # what from_queryset() made wraps the queryset's method
    return is_stock(kind._queryset_class)                           # type: ignore[attr-defined]


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

    def must_be_there(self, sender: type[models.Model], **kwargs: Any) -> None:
        """
        Refuse a model whose only manager is called ``objects``: Django gives every model without an ordinary manager one of that name.

        :raises ImproperlyConfigured: it has just taken our place.
        """
        if sender.__dict__.get(self.manager.name) is not self:
            raise ImproperlyConfigured(
                f"{sender._meta.label}.objects: a cached manager is never the default one, so Django has put its own there. "
                "Call it `cached`, or declare an ordinary manager beside it."
            )

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
