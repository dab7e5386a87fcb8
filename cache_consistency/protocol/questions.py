"""What is asked of the cache, and what it or the database answers."""

from __future__ import annotations

from typing import Any

import msgspec

from cache_consistency.protocol.tags import Tag


class Question(msgspec.Struct, frozen=True):
    """One thing that is asked of the cache."""

    key: str
    canonical: bytes
    """The full description; it stands in the entry, so that a collision of hashes is a miss."""
    tags: tuple[Tag, ...]
    """What any answer depends on."""
    also: tuple[Tag, ...] = ()
    """What an answer depends on in which something that was asked for is missing ("there is no such row")."""


class Payload(msgspec.Struct, frozen=True):
    """An answer that can be stored."""

    data: bytes
    missing: bool = False
    """Something that was asked for is not there: the answer depends on the question's ``also``, too."""


class Loaded(msgspec.Struct, frozen=True):
    """What the database answered."""

    value: Any
    """For the caller, as it is."""
    payloads: tuple[Payload | None, ...]
    """n payloads, one for each question that the database was asked, same order; None: this answer cannot be stored."""


class Answers(msgspec.Struct, frozen=True):
    """What a batch of questions came to."""

    payloads: tuple[bytes | None, ...]
    """n payloads of hits; None where the database was asked."""
    wanted: tuple[int, ...] = ()
    """Indices of the questions that the database was asked."""
    loaded: Loaded | None = None
