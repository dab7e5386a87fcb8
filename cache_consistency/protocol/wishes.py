"""
Wishes: what the steps of the protocol ask of whoever drives them. Each says what it is answered with.

A driver answers with the value, or throws into the steps what went wrong; `StoreError` means "the store", anything else is the caller's.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import msgspec

from cache_consistency.protocol.entries import Miss
from cache_consistency.protocol.tags import Tag

Result = TypeVar("Result")
Steps = Generator["Wish", Any, Result]
"""A conversation that ends with a ``Result``."""


class Wish(msgspec.Struct, frozen=True):
    """Something only the outside world can do."""


class Get(Wish, frozen=True):
    """-> n values or None, in the order of ``keys``, read by one command; the epoch's key comes last."""

    keys: tuple[str, ...]


class MayStore(Wish, frozen=True):
    """-> bool: this connection has nothing uncommitted and sees no older snapshot, so what it reads may be stored."""


class Take(Wish, frozen=True):
    """-> `versions.Taken`."""

    tags: tuple[Tag, ...]


class Load(Wish, frozen=True):
    """-> `steps.Loaded`: ask the primary database the questions with these indices."""

    wanted: tuple[int, ...]


class Put(Wish, frozen=True):
    """-> None: store entries; a failure is counted by the driver, never raised."""

    entries: tuple[tuple[str, bytes], ...]
    ttl: float


class Missed(Wish, frozen=True):
    """-> None: tell whoever counts; ``states`` let the driver notice a token that does not go away."""

    cause: Miss
    tags: tuple[Tag, ...]
    states: tuple[bytes | None, ...]


class NewToken(Wish, frozen=True):
    """-> str: a random name for one attempt to commit; no ``,`` or ``;`` in it."""


class Mark(Wish, frozen=True):
    """-> None, when the store has answered."""

    tags: tuple[Tag, ...]
    token: str


class MarkAge(Wish, frozen=True):
    """-> float: seconds since the last mark was sent."""


class Commit(Wish, frozen=True):
    """-> None: COMMIT. Whatever it raises is thrown into the steps and leaves them unchanged."""


class Resolve(Wish, frozen=True):
    """
    -> int: in how many tags the token still stood.

    A driver may answer with the number of tags as soon as the command is sent, if the mark stands, and see to the real answer later: until
    RESOLVE is executed the tags are pending, and nobody is served.
    """

    tags: tuple[Tag, ...]
    token: str


class Owe(Wish, frozen=True):
    """-> None: the RESOLVE got no answer; keep it and try again."""

    tags: tuple[Tag, ...]
    token: str
    marked: bool


class Unmarked(Wish, frozen=True):
    """-> None: MARK got no answer. Raises if this commit must be refused."""

    tags: tuple[Tag, ...]
    token: str
    error: Exception


class LostMarks(Wish, frozen=True):
    """-> None: fewer tokens stood at RESOLVE than were marked; somebody deletes or evicts marks."""

    expected: int
    found: int


class Lease(Wish, frozen=True):
    """-> bool: nobody else looks after this token now."""

    token: str


class Barrier(Wish, frozen=True):
    """-> int | None: an xid drawn now, on the primary, in autocommit; None where the database has no such thing."""


class Horizon(Wish, frozen=True):
    """-> int: the oldest xid that still runs, from a snapshot taken now."""


class Pause(Wish, frozen=True):
    """-> None: nothing to do yet; go on later."""
