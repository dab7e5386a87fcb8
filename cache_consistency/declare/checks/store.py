"""Checks of the store's alias in ``CACHES``, by its settings alone: no connection is opened and no backend is built."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.cache import DEFAULT_CACHE_ALIAS
from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from cache_consistency.conf import NAME, app_settings
from cache_consistency.declare import tracked
from cache_consistency.declare.checks.catalogue import finding
from cache_consistency.declare.policy import suggestion

_KINDS = {
    "django.core.cache.backends.locmem.LocMemCache": "memory",
    "django.core.cache.backends.dummy.DummyCache": "dummy",
    "django.core.cache.backends.redis.RedisCache": "redis",
    "django_redis.cache.RedisCache": "redis",
}
_BACKENDS = (
    "Use django_redis.cache.RedisCache or django.core.cache.backends.redis.RedisCache (or a class derived from one), with the address of "
    "one server."
)
_OWN_DATABASE = "Give the store a Redis database of its own, e.g. redis://host:6379/1, under an alias that nothing else uses."


class Kind(enum.Enum):
    """What an alias of ``CACHES`` can be to us."""

    MEMORY = "memory"
    DUMMY = "dummy"
    REDIS = "redis"
    OTHER = "other"
    BROKEN = "broken"


def kind_of(alias: str) -> Kind:
    """Return what the backend class of ``alias`` is or derives from; `Kind.BROKEN`: it cannot be imported."""
    backend = str(settings.CACHES[alias].get("BACKEND", ""))
    try:
        classes = import_string(backend).__mro__
    except (ImportError, AttributeError):
        return Kind.BROKEN
    paths = [f"{cls.__module__}.{cls.__qualname__}" for cls in classes]
    return Kind(next((_KINDS[path] for path in paths if path in _KINDS), "other"))


def check_store(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """E003 to E010: no such alias, an alias that cannot keep the promise, an alias that others clear."""
    alias = app_settings().CACHE
    if alias is None:
        return list(_no_store())
    if alias not in settings.CACHES:
        return [finding("E003", f"{NAME}['CACHE'] is {alias!r}, which is not an alias of CACHES.", hint=suggestion(alias, settings.CACHES))]
    return [*_kind(alias), *_shared(alias), *_used_by_others(alias)]


def _no_store() -> Iterator[CheckMessage]:
    if app_settings().ENABLED and tracked.any_declared():
        yield finding(
            "W004", f"Models are declared, and {NAME}['CACHE'] names no store: everything works, uncached.",
            hint="Set CACHE to an alias of CACHES, best one of its own.",
        )


def _kind(alias: str) -> Iterator[CheckMessage]:
    backend = settings.CACHES[alias].get("BACKEND")
    kind = kind_of(alias)
    if kind is Kind.MEMORY:
        yield finding(
            "W005", f"The store {alias!r} lives inside one process: another process neither sees its entries nor invalidates them.",
            hint="Use Redis or Valkey as soon as there is a second process (a worker, a shell, a second server).",
        )
    elif kind is Kind.DUMMY:
        yield finding("W007", f"The store {alias!r} is a dummy: everything works, uncached.", hint="Use Redis or Valkey.")
    elif kind is Kind.REDIS:
        yield from (finding("E008", f"{NAME}['CACHE']: {text} Everything works, uncached.", hint=_BACKENDS) for text in _refusals())
    else:
        what = "cannot be imported" if kind is Kind.BROKEN else "cannot keep marks and versions"
        yield finding("E008", f"The backend {backend!r} of the store {alias!r} {what}: everything works, uncached.", hint=_BACKENDS)


def _refusals() -> list[str]:
    """Return why the right backend still cannot be a store: the kind of its client, an address that cannot be read."""
    from cache_consistency import stores

    return [problem.text for problem in stores.problems() if problem.name == "CACHE"]


def _shared(alias: str) -> Iterator[CheckMessage]:
    own = _location(settings.CACHES[alias])
    others = [name for name in settings.CACHES if name != alias and own is not None and _location(settings.CACHES[name]) == own]
    if others:
        yield finding(
            "W009", f"The alias {others[0]!r} uses the same Redis database as the store {alias!r}: its clear() deletes marks and entries, "
            f"and nothing is stored for {app_settings().QUARANTINE:g} s afterwards.", hint=_OWN_DATABASE,
        )


def _used_by_others(alias: str) -> Iterator[CheckMessage]:
    users = []
    if alias == DEFAULT_CACHE_ALIAS:
        users.append("whoever imports django.core.cache.cache")
    if "cache" in settings.SESSION_ENGINE and alias == settings.SESSION_CACHE_ALIAS:
        users.append("sessions")
    if alias == settings.CACHE_MIDDLEWARE_ALIAS and any("middleware.cache." in name for name in settings.MIDDLEWARE):
        users.append("the cache middleware")
    if users and kind_of(alias) is Kind.REDIS:
        yield finding(
            "W010", f"The store {alias!r} is also used by {' and '.join(users)}: a cache.clear() deletes marks and entries, and nothing "
            f"is stored for {app_settings().QUARANTINE:g} s afterwards.", hint=_OWN_DATABASE,
        )


def _location(cache: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return host or socket, port and number of the Redis database; ``None`` where that cannot be told."""
    given = cache.get("LOCATION")
    first = given[0] if isinstance(given, (list, tuple)) and given else given
    text = str(first or "").split(",")[0].strip()
    if not text.startswith(("redis://", "rediss://", "valkey://", "valkeys://", "unix://")):
        return None
    try:
        parts = urlsplit(text)
        port = str(parts.port or 6379)
    except ValueError:
        return None
    in_query = parse_qs(parts.query).get("db", [""])[0]
    if parts.scheme == "unix":
        return parts.path, "", in_query or "0"
    host = "localhost" if parts.hostname in {"127.0.0.1", "::1", None} else str(parts.hostname)
    return host, port, in_query or parts.path.strip("/") or str((cache.get("OPTIONS") or {}).get("db", "0"))
