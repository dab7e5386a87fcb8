"""
`aget` by pk or lookup, and `aget_many`, whose hits never leave the event loop.

The loop's thread has no database connection that counts: Django hands queries to another thread, and a transaction is open there or is
not. So a hit is served here only where that thread has nothing to say: nothing written by this task is uncommitted (a context variable
knows), no sync code waits for this coroutine (it may sit in ``atomic()``; what it reads is its transaction's business), nothing in the
question depends on a connection (``VARY``). Everything else, each miss included, is `Elsewhere`: the sync read, in the one thread that
Django would use, in one hop. It asks the store again, which costs little beside the query, and by then another task may have filled it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from asgiref.sync import AsyncToSync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections
from django.db.models import Model

from cache_consistency import conf, events, stores, switches
from cache_consistency.capture import state
from cache_consistency.exceptions import CorruptEntry
from cache_consistency.protocol import wishes
from cache_consistency.protocol.drivers import arun
from cache_consistency.protocol.steps import fetch, fetch_many
from cache_consistency.protocol.tags import InexactValue
from cache_consistency.protocol.wishes import Wish
from cache_consistency.reading.lookups import only
from cache_consistency.reading.plans import Plan, known_plan
from cache_consistency.stores.base import Store


class Elsewhere(Exception):
    """The event loop cannot answer this; the sync read does."""


async def aget_instance(model: type[Model], alias: Callable[[], str], name: str, value: object) -> Model:
    """
    Return the one row whose lookup ``name`` equals ``value``, if the cache says so.

    :param alias: returns the database that the sync read would ask.
    :raises Elsewhere: the cache does not say so, or must not be asked here.
    :raises DoesNotExist, MultipleObjectsReturned: of the model, as Django.
    """
    try:
        plan, connection, store = _ready(model, alias)
        lookup = plan.lookups[name]
        question = plan.question(connection, lookup, lookup.prepare(value))
        payload = await arun(fetch(question, plan.epoch, ttl=plan.policy.ttl), _Shell(store))
        rows = plan.codec.decode(cast("bytes", payload))            # anything but a hit was Elsewhere
        events.count("hit", plan.label)
        return only(plan, rows, connection.alias)
    except _NOT_HERE as error:
        raise Elsewhere from error


async def aget_many(model: type[Model], alias: Callable[[], str], pks: Sequence[object]) -> dict[Any, Model]:
    """
    Return ``{pk: instance}`` for those of n pks that there are, in the order asked, if the cache knows of each of them.

    :raises Elsewhere: as `aget_instance`.
    """
    try:
        plan, connection, store = _ready(model, alias)
        lookup = plan.lookups["pk"]
        questions = [plan.question(connection, lookup, pk) for pk in dict.fromkeys(lookup.prepare(pk) for pk in pks)]
        answers = await arun(fetch_many(questions, plan.epoch, ttl=plan.policy.ttl), _Shell(store))
        rows = [row for payload in answers.payloads for row in plan.codec.decode(cast("bytes", payload))]
        found = {instance.pk: instance for instance in plan.codec.build_many(rows, db=connection.alias)}
        events.count("hit", plan.label, "", len(questions))
        return found
    except _NOT_HERE as error:
        raise Elsewhere from error


_NOT_HERE = (
    CorruptEntry,                                                   # the sync read counts it and asks the database
    SynchronousOnlyOperation,                                       # something on the way wanted to ask the database
    InexactValue, KeyError, TypeError, ValueError,                  # the queryset raises what Django raises
)


class _Shell:
    """Answers the only wish of a hit."""

    __slots__ = ("store",)

    def __init__(self, store: Store) -> None:
        self.store = store

    async def __call__(self, wish: Wish) -> Any:
        if wish.__class__ is wishes.Get:
            return await self.store.aget(wish.keys)
        raise Elsewhere


def _ready(model: type[Model], alias: Callable[[], str]) -> tuple[Plan, Any, Store]:
    """
    Return plan, connection and store for a read in the event loop.

    :raises Elsewhere: there is something that only a thread can do or see.
    """
    store = stores.current()
    if store is None or switches.reads() != "on" or _depends_on_connection() or _has_sync_caller():
        raise Elsewhere
    connection = connections[alias()]                               # of the loop's thread: it names the data, and is asked nothing
    plan = known_plan(model, connection.alias)
    if plan is None or not connection.settings_dict["AUTOCOMMIT"]:
        raise Elsewhere
    if state.in_transaction(connection) or not state.may_serve(connection, plan.tables):
        raise Elsewhere
    return plan, connection, store


def _depends_on_connection() -> bool:
    """Return whether the project's own function names the data by the connection it reads on, which is another thread's."""
    settings = conf.app_settings()
    return settings.VARY is not None or callable(settings.DATABASE_IDENTITY)


def _has_sync_caller() -> bool:
    """
    Return whether sync code waits for this coroutine, so that its thread, and what is open there, are those of the coroutine's queries.

    Either this task knows of its caller, or the loop as a whole runs for one.
    """
    loops = AsyncToSync.loop_thread_executors
    return getattr(AsyncToSync.executors, "current", None) is not None or (bool(loops) and asyncio.get_running_loop() in loops)
