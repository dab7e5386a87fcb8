"""
The store on one Redis server: every move is one round trip on the thread's own connection.

Nothing is resent by the driver (a RESOLVE that is executed twice with one version would bring an old version back); each attempt of ours
carries random parts of its own, and the scripts add the server's clock.
"""

from __future__ import annotations

import asyncio
import functools
import math
import os
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from cache_consistency import events
from cache_consistency.exceptions import StoreError, StoreRefused, StoreUnavailable
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.protocol.versions import Taken
from cache_consistency.stores import wire
from cache_consistency.stores._errors import DRIVER_ERRORS, LOST, NO_SCRIPT, translate
from cache_consistency.stores.aio import AsyncLines, UnsuitableConnection
from cache_consistency.stores.alias import Recipe
from cache_consistency.stores.base import CLEAN_TTL, MAX_TOKENS, MAX_VALUE, Epoch, StoreInfo
from cache_consistency.stores.connections import Lines
from cache_consistency.stores.epoch import connector, random_part, read_answer
from cache_consistency.stores.scripts import Script, script
from cache_consistency.stores.server_info import read_info
from cache_consistency.stores.trip import TripSwitch


def milliseconds(seconds: float) -> int:
    """Return a duration as Redis takes it: never 0, which would mean something else."""
    return max(1, math.ceil(seconds * 1000))


class RedisStore:
    """
    One Redis server, or Valkey; safe for any number of threads and across forks.

    :param recipe: how to connect; see `alias.recipe_for`.
    :param timeout: seconds one call may wait for the server: to be reached, to take the command, to answer.
    :param quarantine: seconds for which a fresh epoch stores nothing.
    """

    shared = True

    def __init__(
        self, recipe: Recipe, keyspace: Keyspace, *, timeout: float = 0.25, quarantine: float = 10.0, alias: str = "",
        trip: TripSwitch | None = None, clean_ttl: float = CLEAN_TTL,
    ) -> None:
        self.keyspace = keyspace
        self.alias = alias
        self._where = f"{alias!r} at {recipe.address}" if alias else recipe.address
        self._quarantine = str(math.ceil(quarantine * 1000))
        self._clean_ttl = str(milliseconds(clean_ttl))
        self._trip = trip or TripSwitch()
        make = functools.partial(recipe.make, timeout=timeout, on_connect=connector(keyspace))
        self._lines = Lines(make, timeout=timeout)
        self._async_lines = AsyncLines(make, timeout=timeout)
        _living.add(self)

    def __repr__(self) -> str:
        return f"<RedisStore {self._where}, namespace {self.keyspace.namespace!r}>"

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = self._ask(wire.mget(keys))
        return found

    async def aget(self, keys: Sequence[str]) -> list[bytes | None]:
        packed = wire.mget(keys)
        probe = self._trip.tripped and self._admitted()
        try:
            found: list[bytes | None] = await self._async_lines.ask(packed)
        except UnsuitableConnection:
            return await asyncio.to_thread(self.get, keys)
        except DRIVER_ERRORS as error:
            raise self._failed(error, probe=probe, connected=self._async_lines.is_open()) from error
        if self._trip.tripped:
            self._succeeded()
        return found

    def take(self, tags: Sequence[str]) -> Taken:
        keys = (self.keyspace.epoch, *tags)
        epoch, storable, *states = self._run(script("take"), keys, lambda _: (random_part(), self._clean_ttl, self._quarantine))
        return Taken(epoch, storable == 1, tuple(states))

    def put(self, entries: Sequence[tuple[str, bytes]], *, ttl: float) -> None:
        kept = [entry for entry in entries if len(entry[1]) <= MAX_VALUE]
        if len(kept) < len(entries):
            events.count("store_refused", self.alias, "too_big", len(entries) - len(kept))
        if not kept:
            return
        ttl_ms = milliseconds(ttl)
        packed = b"".join([wire.set_px(key, value, ttl_ms) for key, value in kept])
        for reply in self._call(lambda: self._lines.mine().ask_many(packed, len(kept))):
            if isinstance(reply, DRIVER_ERRORS):
                raise self._failed(reply, probe=False) from reply

    def mark(self, tags: Sequence[str], token: str, *, ttl: float) -> None:
        ttl_ms = str(milliseconds(ttl)) if ttl else "0"
        self._run(script("mark"), tags, lambda _: (token, ttl_ms, str(MAX_TOKENS)))

    def resolve(self, tags: Sequence[str], token: str) -> int:
        in_doubt = False

        def arguments(earlier: int) -> tuple[str, ...]:
            nonlocal in_doubt
            in_doubt = in_doubt or earlier > 0
            return token, random_part(), self._clean_ttl, "0"
        found: int = self._run(script("resolve"), tags, arguments)
        # after a lost connection the first attempt may have been the one that found the tokens: nothing to be alarmed about
        return len(tags) if in_doubt else found

    def resolve_soon(self, tags: Sequence[str], token: str, on_answer: Callable[[int | StoreError], None]) -> None:
        line, lua = self._lines.mine(), script("resolve")
        known = line.known                                          # not the line: what waits in it must not outlive its thread

        def packed() -> bytes:
            # By its hash only where the server is known to have it: NOSCRIPT might never be read, and then nothing was resolved.
            pack = lua.by_hash if lua.sha in known else lua.by_source
            return pack(tags, token, random_part(), self._clean_ttl, "0")

        def on_reply(reply: Any) -> None:
            if isinstance(reply, NO_SCRIPT):                        # forgotten after MARK
                known.clear()
                self._resolve_now(tags, token, on_answer)
                return
            if not isinstance(reply, Exception):
                known.add(lua.sha)
            on_answer(self._late(reply))
        self._call(lambda: line.send(packed(), on_reply, packed), answered=False)

    def _resolve_now(self, tags: Sequence[str], token: str, on_answer: Callable[[int | StoreError], None]) -> None:
        try:
            answer: int | StoreError = self.resolve(tags, token)
        except StoreError as error:
            answer = error
        on_answer(answer)

    def flush_replies(self) -> None:
        try:
            self._lines.mine().settle()
        except DRIVER_ERRORS as error:
            raise self._failed(error, probe=False) from error

    def lease(self, key: str, *, ttl: float) -> bool:
        return self._ask(wire.command("SET", key, "1", "NX", "PX", str(milliseconds(ttl)))) is not None

    def epoch(self) -> Epoch:
        return read_answer(self._run(script("ensure_epoch"), (self.keyspace.epoch,), lambda _: (random_part(), "keep")))

    def new_epoch(self) -> Epoch:
        return read_answer(self._run(script("ensure_epoch"), (self.keyspace.epoch,), lambda _: (random_part(), "new")))

    def info(self) -> StoreInfo:
        return read_info(self._ask(wire.command("INFO")))

    def forget(self) -> None:
        self._lines.close()
        self._async_lines.close()
        self._trip.succeeded()

    def _run(self, lua: Script, keys: Sequence[str], arguments: Callable[[int], tuple[str, ...]]) -> Any:
        """Execute a script; ``arguments`` are made anew for each attempt, and are told how many earlier ones may have happened."""
        try:
            return self._ask(lua.by_hash(keys, *arguments(0)), lambda: lua.by_hash(keys, *arguments(1)))
        except StoreRefused as error:
            if not isinstance(error.__cause__, NO_SCRIPT):
                raise
            self._lines.mine().known.clear()                        # whoever has forgotten this one has forgotten them all
        return self._ask(lua.by_source(keys, *arguments(0)), lambda: lua.by_source(keys, *arguments(1)))

    def _ask(self, packed: bytes, again: Callable[[], bytes] | None = None) -> Any:
        """Do as `_call` for one command; spelled out, because every hit passes here."""
        trip = self._trip
        probe = trip.tripped and self._admitted()
        try:
            reply = self._lines.mine().ask(packed, again)
        except DRIVER_ERRORS as error:
            raise self._failed(error, probe=probe) from error
        if trip.tripped:
            self._succeeded()
        return reply

    def _call(self, ask: Callable[[], Any], *, answered: bool = True) -> Any:
        probe = self._trip.tripped and self._admitted()
        try:
            reply = ask()
        except DRIVER_ERRORS as error:
            raise self._failed(error, probe=probe) from error
        if answered and self._trip.tripped:
            self._succeeded()
        return reply

    def _admitted(self) -> bool:
        if not self._trip.admit():
            events.count("store_error", self.alias, "skipped")
            raise StoreUnavailable(f"store {self._where} did not answer; asked again in {self._trip.remaining():.1f} s")
        return True

    def _failed(self, error: Exception, *, probe: bool, connected: bool | None = None) -> StoreError:
        """Translate and count an error, and trip the switch if nobody answered or nobody may connect."""
        ours = translate(error, self._where)
        if connected is None:
            connected = self._lines.mine().is_open
        refused_at_the_door = isinstance(ours, StoreRefused) and not connected
        if isinstance(ours, StoreUnavailable) or refused_at_the_door:
            if self._trip.failed(probe=probe):
                events.logger.warning("the store does not answer, and the database does instead: %s", ours)
                events.emit(events.Event("store_down", self.alias, type(ours).__name__, {"error": str(ours)}))
        elif self._trip.tripped:
            self._succeeded()                                       # an error, but an answer
        if not isinstance(error, NO_SCRIPT):                        # that one is a question of ours
            events.count("store_error", self.alias, type(ours).__name__)
        return ours

    def _late(self, reply: Any) -> int | StoreError:
        """Return what a late reply means. A connection that was closed meanwhile does not say that the server is away."""
        if isinstance(reply, LOST):
            events.count("store_error", self.alias, "late")
            return translate(reply, self._where)
        if isinstance(reply, DRIVER_ERRORS):
            return self._failed(reply, probe=False)
        found: int = reply
        return found

    def _succeeded(self) -> None:
        if self._trip.succeeded():
            events.logger.info("the store %s answers again", self._where)
            events.say_again("store_error", "unmarked")             # the next outage is news
            events.emit(events.Event("store_up", self.alias))

    def _after_fork(self) -> None:
        self._lines.after_fork()
        self._async_lines.after_fork()
        self._trip = TripSwitch()


_living: weakref.WeakSet[RedisStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_living):
        store._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
