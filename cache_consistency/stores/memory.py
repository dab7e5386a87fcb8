"""
The store inside one process: the same states, deadlines and answers as the Lua, bounded by bytes.

It is for one process only: another process, a forked child included, has one of its own and sees no invalidation of this one. What is
evicted first are entries, the one used longest ago first, then clean tags; losing either is a miss. Pending marks and the epoch are never
evicted: without them a reader could be served what a writer is just changing.
"""

from __future__ import annotations

import collections
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Sequence

from cache_consistency import events
from cache_consistency.exceptions import StoreError, TooManyWriters
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.protocol.versions import Taken
from cache_consistency.stores.base import CLEAN_TTL, MAX_TOKENS, MAX_VALUE, Epoch, StoreInfo
from cache_consistency.stores.callbacks import tell
from cache_consistency.stores.states import STICKY, TagState

MAX_BYTES = 64 << 20
_OVERHEAD = 200
"""Bytes that an entry or a tag costs beside its key and value, measured roughly."""


class MemoryStore:
    """
    A store in this process's memory; thread-safe.

    :param quarantine: seconds for which a fresh epoch stores nothing. Nothing outlives this store, so 0 is safe.
    :param clock: returns seconds since 1970; a test plays with it.
    """

    shared = False

    def __init__(
        self, keyspace: Keyspace, *, max_bytes: int = MAX_BYTES, quarantine: float = 0.0, clean_ttl: float = CLEAN_TTL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keyspace = keyspace
        self._max_bytes, self._clean_ttl, self._quarantine, self._clock = max_bytes, clean_ttl * 1000, quarantine * 1000, clock
        self._generation = secrets.token_hex(8)
        self._begin()
        _living.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()                              # a finaliser may call us while we are at work
        self._entries: collections.OrderedDict[str, tuple[bytes, float]] = collections.OrderedDict()
        self._clean: collections.OrderedDict[str, TagState] = collections.OrderedDict()
        self._pending: dict[str, TagState] = {}
        self._bytes = self._evicted = 0
        self._epoch: tuple[str, int] | None = None

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        with self._lock:
            now = self._now()
            return [self._value(key, now) for key in keys]

    async def aget(self, keys: Sequence[str]) -> list[bytes | None]:
        return self.get(keys)

    def take(self, tags: Sequence[str]) -> Taken:
        with self._lock:
            now, version = self._now(), self._version()
            identifier, created = self._ensured(now)
            states = [self._taken(tag, now, version) for tag in tags]
            clean = not any(state.pending for state in states)
            self._shrink()
            return Taken(identifier.encode("ascii"), clean and now - created >= self._quarantine, tuple(s.encoded() for s in states))

    def put(self, entries: Sequence[tuple[str, bytes]], *, ttl: float) -> None:
        with self._lock:
            for key, value in entries:
                if len(value) > MAX_VALUE:
                    events.count("store_refused", "", "too_big")
                    continue
                self._keep(key, value, self._now() + max(1.0, ttl * 1000))
            self._shrink()

    def mark(self, tags: Sequence[str], token: str, *, ttl: float) -> None:
        with self._lock:
            now = self._now()
            states = {tag: self._state(tag, now) or TagState("") for tag in tags}
            self._make_room(states, token, now)
            deadline = now + max(1, int(ttl * 1000)) if ttl else STICKY
            for tag, state in states.items():
                self._forget_tag(tag)
                state.mark(token, deadline)
                self._remember_tag(tag, state)

    def resolve(self, tags: Sequence[str], token: str) -> int:
        with self._lock:
            now, version, found = self._now(), self._version(), 0
            for tag in tags:
                state = self._state(tag, now)
                if state is not None:
                    self._forget_tag(tag)
                    found += state.resolve(token, version=version, expires=now + self._clean_ttl)
                    self._remember_tag(tag, state)
            self._shrink()
            return found

    def resolve_soon(self, tags: Sequence[str], token: str, on_answer: Callable[[int | StoreError], None]) -> None:
        tell(on_answer, self.resolve(tags, token))

    def flush_replies(self) -> None:
        """Do nothing: every answer was given at once."""

    def lease(self, key: str, *, ttl: float) -> bool:
        with self._lock:
            now = self._now()
            if self._value(key, now) is not None:
                return False
            self._keep(key, b"1", now + max(1.0, ttl * 1000))
            self._shrink()
            return True

    def epoch(self) -> Epoch:
        with self._lock:
            return self._told(self._now())

    def new_epoch(self) -> Epoch:
        with self._lock:
            now = self._now()
            _, created = self._ensured(now)
            self._epoch = (secrets.token_hex(12), created)
            return self._told(now)

    def info(self) -> StoreInfo:
        with self._lock:
            return StoreInfo(
                kind="memory", version=(), maxmemory_policy="volatile-lru", maxmemory=self._max_bytes, used_memory=self._bytes,
                evicted_keys=self._evicted, is_master=True,
            )

    def forget(self) -> None:
        """Do nothing: there is no connection, and marks of writers that are under way must not be lost."""

    # From here on the caller holds the lock.

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _version(self) -> str:
        return f"{secrets.token_hex(12)}-{int(self._clock() * 1_000_000):016d}"

    def _told(self, now: int) -> Epoch:
        identifier, created = self._ensured(now)
        return Epoch(id=identifier, age=(now - created) / 1000, generation=self._generation)

    def _ensured(self, now: int) -> tuple[str, int]:
        if self._epoch is None:
            self._epoch = (secrets.token_hex(12), now)
        return self._epoch

    def _value(self, key: str, now: int) -> bytes | None:
        entry = self._entries.get(key)
        if entry is not None:
            if entry[1] > now:
                self._entries.move_to_end(key)
                return entry[0]
            self._drop_entry(key)
            return None
        state = self._state(key, now)
        if state is not None:
            return state.encoded()
        if key == self.keyspace.epoch and self._epoch is not None:
            return f"{self._epoch[0]}:{self._generation}:{self._epoch[1]}".encode("ascii")
        return None

    def _state(self, tag: str, now: int) -> TagState | None:
        """Return a tag that is there; used last, so evicted last."""
        state = self._clean.get(tag)
        if state is None:
            return self._pending.get(tag)
        if state.expires <= now:
            self._forget_tag(tag)
            return None
        self._clean.move_to_end(tag)
        return state

    def _taken(self, tag: str, now: int, version: str) -> TagState:
        state = self._state(tag, now)
        if state is None:
            state = TagState(version, expires=now + self._clean_ttl)
        elif state.pending:
            self._forget_tag(tag)
            if state.drop_what_is_over(now):
                state.base = version
            if not state.pending:
                state.expires = now + self._clean_ttl
        elif state.expires - now < self._clean_ttl / 2:
            state.expires = now + self._clean_ttl
            return state
        else:
            return state
        self._remember_tag(tag, state)
        return state

    def _make_room(self, states: dict[str, TagState], token: str, now: int) -> None:
        """Refuse before anything is written if a tag has too many writers that live; drop those that are over."""
        crowded = [state for state in states.values() if state.crowded(token, most=MAX_TOKENS)]
        for state in crowded:
            alive = sum(deadline == STICKY or deadline > now for other, deadline in state.tokens.items() if other != token)
            if alive >= MAX_TOKENS:
                raise TooManyWriters(f"a tag already has {MAX_TOKENS} writers")
        for state in crowded:
            if state.drop_what_is_over(now):
                state.base = ""

    def _remember_tag(self, tag: str, state: TagState) -> None:
        if state.pending:
            self._pending[tag] = state
        else:
            self._clean[tag] = state
            self._bytes += len(tag) + len(state.base) + _OVERHEAD

    def _forget_tag(self, tag: str) -> None:
        state = self._clean.pop(tag, None)
        if state is None:
            self._pending.pop(tag, None)
        else:
            self._bytes -= len(tag) + len(state.base) + _OVERHEAD

    def _keep(self, key: str, value: bytes, expires: float) -> None:
        self._drop_entry(key)
        self._entries[key] = (value, expires)
        self._bytes += len(key) + len(value) + _OVERHEAD

    def _drop_entry(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(key) + len(entry[0]) + _OVERHEAD

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes and self._entries:
            self._drop_entry(next(iter(self._entries)))
            self._evicted += 1
        while self._bytes > self._max_bytes and self._clean:
            self._forget_tag(next(iter(self._clean)))
            self._evicted += 1

    def _after_fork(self) -> None:
        self._begin()                                               # the parent's writes are not seen here: start with nothing


_living: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_living):
        store._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
