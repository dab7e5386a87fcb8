"""
Rows of any query, and scalars, as bytes that say by themselves what they hold.

A payload is a *signature*, a newline, and the rows as msgpack. The signature has one letter a column (``?`` behind it:
there are NULLs), so that a hit runs one typed decoder, which is cached by signature; a column of mixed or rarer types
is ``*`` and tags its values one by one (`tagged`). Driver values go in before Django's converters, so a column nearly
always has one type.

Everything comes back equal and of the same type, rows as tuples, every mutable value fresh. A ``memoryview`` comes back
as a ``memoryview``, a ``bytearray`` as a ``bytearray``.
"""

import datetime
import decimal
import functools
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from cache_consistency.codecs.tagged import DECODE_ERRORS, ENCODE_ERRORS, INT_MAX, INT_MIN, UTC, encode, pack, unpack
from cache_consistency.exceptions import CodecError, CorruptEntry

_ANY = "*"
_ONLY_NULLS = "0"
_TYPES: dict[str, type] = {
    "b": bool,
    "i": int,
    "f": float,
    "s": str,
    "y": bytes,
    "d": decimal.Decimal,
    "t": datetime.datetime,
    "D": datetime.date,
    "T": datetime.time,
    "p": datetime.timedelta,
    "u": uuid.UUID,
}
_LETTERS = {kind: letter for letter, kind in _TYPES.items()}
_SIGNATURE = re.compile(rb"(?:[bifsydtDTpu]\??|[*0])*")


def encode_rows(rows: Sequence[Sequence[object]]) -> bytes:
    """
    Encode n rows of one width.

    :raises CodecError: widths differ, or a value would not come back equal and of the same type; the message names the column's number.
    """
    width = len(rows[0]) if rows else 0
    if any(len(row) != width for row in rows):
        raise CodecError(f"rows of different widths cannot be stored together: {sorted({len(row) for row in rows})}")
    columns = list(zip(*rows, strict=True))
    letters = [_letter(column) for column in columns]
    if _ANY in letters:
        packed = [_packed(column, number) if letters[number] == _ANY else column for number, column in enumerate(columns)]
        rows = list(zip(*packed, strict=True))
    try:
        return "".join(letters).encode() + b"\n" + encode(rows)
    except ENCODE_ERRORS as error:
        raise CodecError(f"a value cannot be stored: {error}") from error


def decode_rows(payload: bytes) -> list[tuple[Any, ...]]:
    """
    Return the rows that `encode_rows` was given.

    :raises CorruptEntry: these bytes are not ours.
    """
    signature, newline, body = payload.partition(b"\n")
    if not newline:
        raise CorruptEntry(f"no signature in {len(payload)} bytes")
    try:
        return _decoder(signature).decode(body)
    except DECODE_ERRORS as error:
        raise CorruptEntry(f"not rows of signature {signature[:80]!r}: {error}") from error


def _letter(column: Sequence[object]) -> str:
    """One letter, ``?`` behind it if some values are None; ``*`` if there is no cheaper way."""
    kinds = set(map(type, column))
    nullable = type(None) in kinds
    kinds.discard(type(None))
    if not kinds:
        return _ONLY_NULLS
    letter = _LETTERS.get(kinds.pop()) if len(kinds) == 1 else None
    if letter is None or not _is_plain(letter, column):
        return _ANY
    return letter + "?" if nullable else letter


def _is_plain(letter: str, column: Sequence[object]) -> bool:
    """Does msgspec's own form of the type bring every one of these values back?"""
    test = _PLAIN.get(letter)
    return test is None or all(value is None or test(value) for value in column)


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "i": lambda value: INT_MIN <= value <= INT_MAX,
    "t": lambda value: (value.tzinfo is None or value.tzinfo is UTC) and not value.fold,
    "T": lambda value: value.tzinfo is None and not value.fold,
}


def _packed(column: Sequence[object], number: int) -> list[object]:
    try:
        return [pack(value) for value in column]
    except (CodecError, *ENCODE_ERRORS) as error:
        raise CodecError(f"column {number}: {error}") from error


@functools.lru_cache(maxsize=1024)
def _decoder(signature: bytes) -> msgspec.msgpack.Decoder[list[tuple[Any, ...]]]:
    """Bounded, since foreign bytes may name any signature."""
    if _SIGNATURE.fullmatch(signature) is None:
        raise ValueError("unknown signature")
    types = [_column_type(token) for token in re.findall(r"[^?]\??", signature.decode())]
    row_type = tuple.__class_getitem__(tuple(types))
    return cast("msgspec.msgpack.Decoder[list[tuple[Any, ...]]]", msgspec.msgpack.Decoder(list[row_type], ext_hook=unpack))  # type: ignore[valid-type]


def _column_type(token: str) -> Any:
    if token == _ANY:
        return Any
    if token == _ONLY_NULLS:
        return None
    kind = _TYPES[token[0]]
    return kind | None if token.endswith("?") else kind
