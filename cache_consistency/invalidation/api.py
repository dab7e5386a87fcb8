"""``invalidate``: by hand, for whatever changed where nobody could see it."""

from __future__ import annotations

from typing import Any

from django.db import connections

from cache_consistency import events, stores
from cache_consistency.capture import state
from cache_consistency.exceptions import InvalidationError
from cache_consistency.invalidation.service import renew
from cache_consistency.invalidation.targets import database_of, tags_of


def invalidate(*targets: Any, using: str | None = None) -> int:
    """
    Make everything that was cached under these things stale, now; inside a transaction also again when it commits.

    :param targets: instances, querysets, model classes, ``"shop.Product:42"``, ``"shop.Product"`` or tags. An instance stands for its row
        and for the lists it is in by its present values; a model for its whole table.
    :param using: alias of the database; default: for each target the one it came from, else ``default``.
    :return: how many tags got new versions.
    :raises InvalidationError: a target that is none of these, or whose table is not tracked.
    """
    if not targets:
        raise InvalidationError("invalidate() needs something to invalidate; for everything there is invalidate_everything()")
    by_alias: dict[str, list[Any]] = {}
    for target in targets:
        by_alias.setdefault(using or database_of(target), []).append(target)
    tags = {alias: tags_of(named, using=alias) for alias, named in by_alias.items()}       # all, before anything is done
    for alias, found in tags.items():
        if state.in_transaction(connections[alias]):
            state.touch(connections[alias], found, ())
        renew(found, reason="request", using=alias)
    return sum(map(len, tags.values()))


def invalidate_everything() -> None:
    """
    Begin a new epoch: nothing that was stored before is served again. Marks stand, so no quarantine follows.

    :raises StoreError: the store is away; nothing was changed.
    """
    store = stores.current()
    if store is not None:
        store.new_epoch()
        events.count("epoch", "", "requested")
