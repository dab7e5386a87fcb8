"""Where versions and entries live: which store is in force. Opening one connects to nothing."""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Iterator

from django.conf import settings as django_settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured

from cache_consistency import conf
from cache_consistency.exceptions import StoreError
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.stores.alias import WRONG_TYPES, recipe_for
from cache_consistency.stores.base import Epoch, Store, StoreInfo
from cache_consistency.stores.memory import MemoryStore
from cache_consistency.stores.redis import RedisStore

__all__ = ["Epoch", "MemoryStore", "RedisStore", "Store", "StoreInfo", "current", "flush_replies", "override", "problems"]

_REDIS_BACKENDS = {("django_redis.cache", "RedisCache"), ("django.core.cache.backends.redis", "RedisCache")}


class _Nothing(enum.Enum):
    YET = enum.auto()


_lock = threading.Lock()
_overrides: list[Store | None] = []
_chosen: Store | _Nothing | None = _Nothing.YET
_problem: conf.Problem | None = None


def current() -> Store | None:
    """Return the store in force; None: everything works, uncached, and `problems` says why if that was not asked for."""
    store = _chosen
    return _choose() if isinstance(store, _Nothing) else store


def problems() -> tuple[conf.Problem, ...]:
    """Return what is wrong with the alias that ``CACHE`` names, or with ``VARY``, without which no key can be made; for the checks."""
    current()
    return () if _problem is None else (_problem,)


def flush_replies() -> None:
    """Read the answers that this thread's writes have left open, before it is idle for long; opens no store and no connection."""
    store = _chosen
    if isinstance(store, _Nothing) or store is None:
        return
    with contextlib.suppress(StoreError):                           # counted, and told to those who wait for the answers
        store.flush_replies()


@contextlib.contextmanager
def override(store: Store | None) -> Iterator[Store | None]:
    """Put ``store`` in force for the whole process while the block runs (tests)."""
    _overrides.append(store)
    _reset()
    try:
        yield store
    finally:
        _overrides.pop()
        _reset()


def _choose() -> Store | None:
    global _chosen, _problem
    try:
        refused = next((problem for problem in conf.problems() if problem.name == "VARY"), None)
    except AppRegistryNotReady:
        return None                                                   # for now
    with _lock:
        if isinstance(_chosen, _Nothing):
            if _overrides:
                _chosen, _problem = _overrides[-1], None
            elif refused is not None:                                 # without it, tenants would share their entries
                _chosen, _problem = None, refused
            else:
                try:
                    _chosen, _problem = _open(conf.app_settings()), None
                except ImproperlyConfigured as error:
                    _chosen, _problem = None, conf.Problem("CACHE", str(error))
        return _chosen


@conf.on_change
def _reset() -> None:
    global _chosen
    _chosen = _Nothing.YET


def _open(settings: conf.AppSettings) -> Store | None:
    """
    Make the store of the alias that the settings name.

    :raises ImproperlyConfigured: there is no such alias, or its backend cannot be a store.
    """
    alias = settings.CACHE
    if alias is None:
        return None
    if alias not in getattr(django_settings, "CACHES", {}):
        raise conf.ConfigurationError(f"names {alias!r}, and CACHES has no such alias.")
    try:
        backend = caches[alias]
    except ImportError as error:
        raise conf.ConfigurationError(f"names {alias!r}, which cannot be opened: {error}") from error
    except WRONG_TYPES as error:                                    # no text: it may quote a URL with its password
        raise conf.ConfigurationError(
            f"names {alias!r}, which cannot be opened ({type(error).__name__}): a value in CACHES[{alias!r}] is of a wrong type."
        ) from None
    keyspace = Keyspace(settings.NAMESPACE)
    if isinstance(backend, LocMemCache):
        return MemoryStore(keyspace)
    if not _is_redis(backend):
        raise conf.ConfigurationError(
            f"names {alias!r}, whose backend is {type(backend).__module__}.{type(backend).__qualname__}; "
            "use django_redis.cache.RedisCache, django.core.cache.backends.redis.RedisCache, or LocMemCache for a single process."
        )
    recipe = recipe_for(backend, alias=alias)
    return RedisStore(recipe, keyspace, timeout=settings.TIMEOUT, quarantine=settings.QUARANTINE, alias=alias)


def _is_redis(backend: BaseCache) -> bool:
    return any((base.__module__, base.__qualname__) in _REDIS_BACKENDS for base in type(backend).__mro__)
