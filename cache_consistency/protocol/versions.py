"""
States of a tag, as the store holds them.

``c<version>`` is clean; ``p<base>;<token>,<deadline ms>;…`` is pending: a set of writers' tokens over the version that stood before.
A version has a fixed width (24 random characters, a dash, 16 digits of the store's clock in µs), so that a reader compares the states
of an entry with one comparison of bytes. Versions are random, never counters: a store that lost its memory cannot repeat one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

VERSION_LENGTH = 41
STATE_LENGTH = 1 + VERSION_LENGTH
EPOCH_LENGTH = 24
"""Characters of an epoch's id: it is the beginning of the epoch key's value."""

State = bytes


class Taken(msgspec.Struct, frozen=True):
    """The answer to TAKE: under what a fill may be stored."""

    epoch: bytes
    storable: bool
    states: tuple[State, ...]
    """n states, in the order of the tags that were asked for."""

    def joined(self, more: Taken) -> Taken:
        """Return both as one; two epochs in one fill are not storable."""
        storable = self.storable and more.storable and self.epoch == more.epoch
        return Taken(self.epoch, storable, self.states + more.states)


def is_clean(state: State | None) -> bool:
    return state is not None and state[:1] == b"c"


def tokens(state: State | None) -> tuple[bytes, ...]:
    """Return the tokens of a pending state, none of a clean or absent one."""
    if state is None or state[:1] != b"p":
        return ()
    pairs: Sequence[bytes] = state.split(b";")[1:-1]
    return tuple(pair.partition(b",")[0] for pair in pairs)
