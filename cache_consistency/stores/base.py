"""What a store is: the few moves of the protocol. Memory and Redis pass one contract suite, so nobody asks which of them it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from cache_consistency.exceptions import StoreError
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.protocol.versions import Taken

CLEAN_TTL = 86_400.0
"""Seconds a clean tag is kept; TAKE renews it below half. A tag that is lost is a miss, never a stale read."""
MAX_TOKENS = 64
"""Writers that one tag can be pending for; one more, and MARK is refused."""
MAX_VALUE = 1 << 20
"""Bytes of the largest entry that is stored; a larger one is left out and counted as ``store_refused``/``too_big``."""


class Epoch(msgspec.Struct, frozen=True):
    """One line of the store's history."""

    id: str
    """24 ASCII characters."""
    age: float
    """Seconds by the store's own clock; younger than ``QUARANTINE``: nothing is stored."""
    generation: str


class StoreInfo(msgspec.Struct, frozen=True):
    """What the checks and the health pages ask of a store."""

    kind: str
    """``"redis"`` or ``"memory"``."""
    version: tuple[int, ...]
    maxmemory_policy: str
    maxmemory: int
    """Bytes; 0 = no limit."""
    used_memory: int
    evicted_keys: int
    is_master: bool


class Store(Protocol):
    """
    The moves, each atomic and each one round trip; any thread may call any of them.

    All keys are complete: nothing is put before or behind them. Every method raises `StoreUnavailable` or `StoreTimeout` (no answer; a
    move that changes something **may** have happened) or `StoreRefused` (an answer, and it is no), and no other error of its own.
    """

    @property
    def shared(self) -> bool:
        """Whether other processes see the same store."""

    @property
    def keyspace(self) -> Keyspace: ...

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return n values at one instant, in the order of ``keys``; the caller puts the epoch's key last."""

    async def aget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Do as `get`, and let the event loop go on meanwhile; any loop may call it, and a task that waits may be cancelled."""

    def take(self, tags: Sequence[str]) -> Taken:
        """Return epoch, storable and n states; makes tags and epoch that are absent, prunes tokens that are over."""

    def put(self, entries: Sequence[tuple[str, bytes]], *, ttl: float) -> None:
        """Store n entries for ``ttl`` seconds; one above `MAX_VALUE` is left out and counted."""

    def mark(self, tags: Sequence[str], token: str, *, ttl: float) -> None:
        """
        Make ``tags`` pending for ``token``; all of them or, on `StoreRefused` (`TooManyWriters` among them), none.

        :param token: no ``,`` or ``;`` in it; marking twice with one token only moves its deadline.
        :param ttl: seconds by the store's clock after which readers may ignore the token; 0: until it is resolved.
        """

    def resolve(self, tags: Sequence[str], token: str) -> int:
        """
        Take ``token`` from ``tags`` and give each a version that never was.

        :return: in how many of them the token stood; fewer than were marked: somebody deletes or evicts marks.
        """

    def resolve_soon(self, tags: Sequence[str], token: str, on_answer: Callable[[int | StoreError], None]) -> None:
        """
        Do as `resolve`, without waiting for the answer.

        ``on_answer`` is called once, by this thread's next use of the store or by `flush_replies`; with a `StoreError` if the answer
        will never come. Until then the tags may still be pending, which is safe.

        :raises StoreError: it could not be sent; ``on_answer`` is not called.
        """

    def flush_replies(self) -> None:
        """Wait for every answer that `resolve_soon` left open in this thread."""

    def lease(self, key: str, *, ttl: float) -> bool:
        """Return True for one caller within ``ttl`` seconds, False for the others."""

    def epoch(self) -> Epoch:
        """Return the epoch, after making sure that it belongs to what the server remembers."""

    def new_epoch(self) -> Epoch:
        """Invalidate everything at once. Marks are intact, so no quarantine begins, and none that runs ends."""

    def info(self) -> StoreInfo:
        """Return what the server says about itself."""

    def forget(self) -> None:
        """Close the connections, of all threads; the next call opens a new one."""
