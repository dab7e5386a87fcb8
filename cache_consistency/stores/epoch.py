"""
The epoch: one line of the store's history.

A store can lose what it knew: FLUSHALL, ``cache.clear()``, a restart that is empty or from an old dump, a replica promoted before it had
everything. Then marks of writers that are just committing may be gone, and old entries with old versions may be back. So every entry
remembers the id of the epoch it was filled in, and the epoch's key says which past this server has: `ENSURE_EPOCH` compares it with the
server's ``run_id`` and ``master_replid`` and begins a new epoch if they differ. It is the first command of every physical connection, so
nothing is read over a connection to a server whose past was not looked at; a key that is simply gone is noticed by every MGET, and TAKE
makes a new one. A fresh epoch stores nothing for ``QUARANTINE`` seconds: by then every mark that was lost would have ended.

Not covered: SWAPDB, a dump imported into a running server, keys deleted by pattern (delete the epoch's key as well, or call
`new_epoch`), and a promotion behind a proxy that keeps clients' connections open.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from cache_consistency.protocol.tags import Keyspace
from cache_consistency.stores.base import Epoch
from cache_consistency.stores.scripts import script
from cache_consistency.stores.wire import Connection


def random_part() -> str:
    """Return 96 random bits as 24 characters, for one attempt of one command."""
    return secrets.token_hex(12)


def connector(keyspace: Keyspace) -> Callable[[Connection], None]:
    """Return what the driver calls for each new physical connection: its own handshake, then ENSURE_EPOCH."""

    def on_connect(connection: Connection) -> None:
        try:
            connection.on_connect()                                 # AUTH, SELECT
            packed = script("ensure_epoch").by_source((keyspace.epoch,), random_part(), "keep")
            connection.send_packed_command((packed,), check_health=False)
            connection.read_response()
        except BaseException:
            connection.disconnect()                                 # the driver does so for its own errors only
            raise
    return on_connect


def read_answer(answer: Any) -> Epoch:
    """Return the epoch that ENSURE_EPOCH told."""
    identifier, age_ms, generation = answer
    return Epoch(id=identifier.decode("ascii"), age=age_ms / 1000, generation=generation.decode("ascii"))
