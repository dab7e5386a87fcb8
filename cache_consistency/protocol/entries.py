"""
Entries: a payload, and under what it stands.

The head of an entry holds the epoch's id, the states its tags had *before* its data was read, and the canonical description of what was
asked. A reader builds the head that a valid entry must have now and compares it in one go; only a mismatch is looked at closely, to say
why it is a miss. So a hash collision, a forged entry and an old format are all the same thing: a head that does not match.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Sequence

from cache_consistency.protocol.versions import EPOCH_LENGTH, STATE_LENGTH, State, is_clean

_MAGIC = b"cc1"
_SIZES = struct.Struct(">HI")
_FIXED = len(_MAGIC) + EPOCH_LENGTH + _SIZES.size
_COUNT = slice(len(_MAGIC) + EPOCH_LENGTH, len(_MAGIC) + EPOCH_LENGTH + 2)
_COUNTS = [struct.pack(">H", count) for count in range(1024)]
MAX_TAGS = len(_COUNTS) - 1
"""An entry under more tags is not worth its reads."""


class Miss(enum.StrEnum):
    """Why a read was not answered by the store."""

    ABSENT = "absent"
    """There is no such entry: never filled, expired, evicted."""
    CHANGED = "changed"
    """A tag has another version: somebody wrote."""
    PENDING = "pending"
    """A writer is about to commit, or has just done so."""
    EPOCH = "epoch"
    """The store lost or may have lost its memory since the entry was filled, or everything was invalidated."""
    FOREIGN = "foreign"
    """The bytes under the key are not an entry of ours, or answer another question."""
    CORRUPT = "corrupt"
    """The head stands, the payload cannot be decoded."""
    UNAVAILABLE = "unavailable"
    """The store did not answer."""


def _head(epoch: bytes, states: bytes, count: int, canonical: bytes) -> bytes:
    return b"".join((_MAGIC, epoch, _SIZES.pack(count, len(canonical)), states, canonical))


def pack(payload: bytes, *, epoch: bytes, states: Sequence[State], canonical: bytes) -> bytes:
    """
    Return the bytes to store.

    :param states: n clean states as TAKE gave them, in the order in which a reader names the tags.
    :raises ValueError: a state is not clean or the epoch's id is not one; such an entry could never be served.
    """
    if len(epoch) != EPOCH_LENGTH or not all(is_clean(state) and len(state) == STATE_LENGTH for state in states):
        raise ValueError("an entry can only stand under clean states of one epoch")
    return _head(epoch, b"".join(states), len(states), canonical) + payload


def validate(
    raw: bytes | None, states: Sequence[State | None], epoch: bytes | None, canonical: bytes, *, short: int | None = None
) -> bytes | Miss:
    """
    Return the payload if the entry may be served now, else why not.

    :param raw: what the store has under the entry's key.
    :param states: n states as they are now, read by the same command.
    :param epoch: the epoch key's value, read by the same command or a later one.
    :param short: an entry may stand under the first ``short`` states alone (an answer in which nothing is missing).
    """
    if raw is None:
        return _cause_of_absence(states, epoch)
    try:
        if short is not None and raw[_COUNT] == _COUNTS[short]:
            states = states[:short]
        joined = b"".join(states)                                   # type: ignore[arg-type]  # an absent state raises: a miss
        head = _head(epoch[:EPOCH_LENGTH], joined, len(states), canonical)          # type: ignore[index]
    except (TypeError, IndexError, struct.error):                   # the last two: more tags than any entry has
        return _cause(raw, states, epoch)
    if raw.startswith(head):
        return raw[len(head):]
    return _cause(raw, states, epoch)


def _cause_of_absence(states: Sequence[State | None], epoch: bytes | None) -> Miss:
    if epoch is None:
        return Miss.EPOCH
    return Miss.PENDING if any(state is not None and not is_clean(state) for state in states) else Miss.ABSENT


def _cause(raw: bytes, states: Sequence[State | None], epoch: bytes | None) -> Miss:
    """Say why an entry that is there does not stand."""
    if not raw.startswith(_MAGIC) or len(raw) < _FIXED:
        return Miss.FOREIGN
    if epoch is None or raw[len(_MAGIC):len(_MAGIC) + EPOCH_LENGTH] != epoch[:EPOCH_LENGTH]:
        return Miss.EPOCH
    if any(state is not None and not is_clean(state) for state in states):
        return Miss.PENDING
    count, _ = _SIZES.unpack_from(raw, _COUNT.start)
    if count == len(states) and raw[_FIXED:_FIXED + count * STATE_LENGTH] == b"".join(state or b"" for state in states):
        return Miss.FOREIGN                                         # everything stands but the question
    return Miss.CHANGED
