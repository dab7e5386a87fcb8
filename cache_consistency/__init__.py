"""
Caches that are never stale: policies in Meta, reads through ``Model.cached``, invalidation round every commit.

The public names are looked up when they are asked for: this package is imported before Django's apps are ready.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cache_consistency.declare.policy import CachePolicy
    from cache_consistency.declare.tracked import register
    from cache_consistency.invalidation.api import invalidate, invalidate_everything
    from cache_consistency.invalidation.registry import invalidates
    from cache_consistency.invalidation.signals import entries_invalidated
    from cache_consistency.reading.explain import Explanation, explain
    from cache_consistency.reading.managers import CachedManager, CachedManagerMixin
    from cache_consistency.reading.querysets import CachedQuerySet
    from cache_consistency.switches import no_cache

__version__ = "0.1.0"

_HOMES = {
    "CachePolicy": "declare.policy",
    "CachedManager": "reading.managers",
    "CachedManagerMixin": "reading.managers",
    "CachedQuerySet": "reading.querysets",
    "Explanation": "reading.explain",
    "entries_invalidated": "invalidation.signals",
    "explain": "reading.explain",
    "invalidate": "invalidation.api",
    "invalidate_everything": "invalidation.api",
    "invalidates": "invalidation.registry",
    "no_cache": "switches",
    "register": "declare.tracked",
}

__all__ = [
    "CachePolicy", "CachedManager", "CachedManagerMixin", "CachedQuerySet", "Explanation", "entries_invalidated", "explain", "invalidate",
    "invalidate_everything", "invalidates", "no_cache", "register",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
