"""Checks of ``check --deploy``: the only ones that speak to the store's server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

from cache_consistency.conf import app_settings
from cache_consistency.declare import tracked
from cache_consistency.declare.checks.catalogue import finding
from cache_consistency.declare.checks.store import Kind, kind_of
from cache_consistency.exceptions import CacheConsistencyError

if TYPE_CHECKING:
    from cache_consistency.stores.base import StoreInfo

OLDEST = (6, 2)


def check_deployment(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """E006: a store inside one process; W050 to E054: what the server says about itself."""
    alias = app_settings().CACHE
    if alias is None or alias not in settings.CACHES or not app_settings().ENABLED:
        return []
    if kind_of(alias) is Kind.MEMORY:
        return [
            finding(
                "E006", f"The store {alias!r} lives inside one process, and a deployment has several: reads would be stale.",
                hint="Use Redis or Valkey.",
            )
        ]
    return list(_server(alias)) if kind_of(alias) is Kind.REDIS else []


def _server(alias: str) -> Iterator[CheckMessage]:
    from cache_consistency import stores

    try:
        store = stores.current()
        info = None if store is None else store.info()
    except (CacheConsistencyError, ImproperlyConfigured, ImportError) as error:
        yield finding(
            "W050", f"The store {alias!r} could not be asked: {error}",
            hint="Run the check where the server can be reached. While it is away reads go to the database.",
        )
        return
    if info is not None:
        yield from _version(alias, info)
        yield from _eviction(alias, info)
        yield from _role(alias, info)


def _version(alias: str, info: StoreInfo) -> Iterator[CheckMessage]:
    if info.version < OLDEST:
        yield finding(
            "E051", f"The store {alias!r} is served by Redis {'.'.join(map(str, info.version))}.",
            hint="Use Redis or Valkey 6.2 or newer: the scripts use commands that older servers do not know.",
        )


def _eviction(alias: str, info: StoreInfo) -> Iterator[CheckMessage]:
    if not info.maxmemory_policy.startswith("allkeys-"):
        return
    policies = [tracked.policy_for(table.model) for table in tracked.tables().values() if table.model is not None]
    strict = any(policy is not None and policy.mode == "strict" for policy in policies)
    yield finding(
        "E052" if strict else "W053",
        f"The server of the store {alias!r} may evict marks of writers that are committing (maxmemory-policy {info.maxmemory_policy}): "
        "a stale read is then possible.",
        hint="Set maxmemory-policy to volatile-lru: entries and clean tags have a TTL, marks have none. Or noeviction.",
    )


def _role(alias: str, info: StoreInfo) -> Iterator[CheckMessage]:
    if not info.is_master:
        yield finding("E054", f"The server of the store {alias!r} is a replica, which refuses every mark.", hint="Name the master.")
