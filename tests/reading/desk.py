"""A desk to read at: one database, one store, and a way to tell whether an answer came from the database."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from django.db import connections, models, transaction
from django.test.utils import CaptureQueriesContext

from cache_consistency import events
from cache_consistency.stores import Store
from tests.reading.models import Maker, Tag, Thing

Result = TypeVar("Result")
Read = Callable[[], Any]
_ASIDE = {"_state", "_prefetched_objects_cache", "found", "_django_version"}


class _Undone(Exception):
    pass


@dataclasses.dataclass
class Desk:
    """``alias`` names the database."""

    alias: str
    store: Store

    @property
    def connection(self) -> Any:
        return connections[self.alias]

    def plain(self, model: Any = Thing) -> Any:
        return model.objects.db_manager(self.alias)

    def cached(self, model: Any = Thing, manager: str = "cached") -> Any:
        return getattr(model, manager).db_manager(self.alias)

    def atomic(self, **options: Any) -> Any:
        return transaction.atomic(using=self.alias, **options)

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        """A block that ends in an error of its own, so that what it did is undone."""
        with suppress(_Undone), self.atomic():
            yield
            raise _Undone

    def maker(self, name: str = "ACME", **values: Any) -> Maker:
        made: Maker = self.plain(Maker).create(**{"name": name, "code": name[:10].lower(), **values})
        return made

    def tag(self, word: str) -> Tag:
        made: Tag = self.plain(Tag).create(word=word)
        return made

    def thing(self, slug: str = "one", **values: Any) -> Thing:
        made: Thing = self.plain().create(**{"slug": slug, "name": slug, **values})
        return made

    def asked(self, read: Callable[..., Result], *args: Any, **kwargs: Any) -> tuple[Result, int]:
        """Return what a read with these arguments gave, and how many queries the database was asked for it."""
        with CaptureQueriesContext(self.connection) as queries:
            result = read(*args, **kwargs)
        return result, len(queries)

    def hit(self, read: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Return what the cache alone gives."""
        result, queries = self.asked(read, *args, **kwargs)
        assert queries == 0, f"the database was asked {queries} times"
        return result

    def missed(self, read: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Return what a read gives that has to ask the database, once."""
        result, queries = self.asked(read, *args, **kwargs)
        assert queries == 1, f"the database was asked {queries} times"
        return result

    def warm(self, read: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Have a read's entry stand."""
        self.missed(read, *args, **kwargs)
        return self.hit(read, *args, **kwargs)

    def never_cached(self, read: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Have a read ask the database each time."""
        self.missed(read, *args, **kwargs)
        return self.missed(read, *args, **kwargs)


def seen(value: Any, *, depth: int = 0) -> Any:
    """Return what can be compared of a result: instances by class and state, with what was prefetched and joined (three levels of it)."""
    deeper = depth + 1
    if isinstance(value, models.Model) and depth > 3:               # relations may go round
        return type(value), value.pk
    if isinstance(value, models.Model):
        state = {name: seen(part) for name, part in vars(value).items() if name not in _ASIDE}
        joined = {name: seen(part, depth=deeper) for name, part in value._state.fields_cache.items()}
        near = {**getattr(value, "_prefetched_objects_cache", {}), "found": getattr(value, "found", ())}
        prefetched = {name: [seen(one, depth=deeper) for one in part] for name, part in near.items()}
        return type(value), value._state.db, value._state.adding, state, joined, prefetched
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value).__name__, value._fields, tuple(value)
    if isinstance(value, (list, tuple, models.QuerySet)):
        return [seen(part, depth=depth) for part in value]
    if isinstance(value, dict):
        return {key: seen(part, depth=depth) for key, part in value.items()}
    return bytes(value) if isinstance(value, memoryview) else value


def counted(what: str, outcome: str | None = None) -> int:
    return events.total(what, outcome=outcome)
