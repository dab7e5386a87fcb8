"""
One value of any supported type as msgpack: plain where msgpack has the type, else an extension whose code names it.

The invariant is *equal and of the same type, or refused*: a hit must not be told from a miss. So types are compared
exactly (a ``SafeString`` or an ``IntEnum`` would come back as something less), and a value that only looks alike after
the trip (a ``ZoneInfo`` that did not come from the cache of zones) is refused as well.

Mutable values are made anew by every decode. Whoever keeps decoded values to hand them out several times uses `freeze`,
which leaves them as bytes, and `thaw`, which makes a fresh one.
"""

import dataclasses
import datetime
import decimal
import importlib
import ipaddress
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, cast

import msgspec
from msgspec.msgpack import Ext

from cache_consistency.exceptions import CodecError

UTC = datetime.UTC
encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
INT_MIN, INT_MAX = -(2**63), 2**64 - 1

_BIGINT, _DECIMAL, _DATETIME, _DATE, _TIME, _TIMEDELTA, _UUID, _TUPLE, _DICT, _MEMORYVIEW, _BYTEARRAY = range(1, 12)
_RANGE, _MULTIRANGE, _FROZEN = 20, 21, 30
_IP_CODES: dict[int, type] = {
    12: ipaddress.IPv4Address,
    13: ipaddress.IPv6Address,
    14: ipaddress.IPv4Interface,
    15: ipaddress.IPv6Interface,
    16: ipaddress.IPv4Network,
    17: ipaddress.IPv6Network,
}

ENCODE_ERRORS = (UnicodeEncodeError, OverflowError, RecursionError, TypeError)
"""What msgspec raises for a lone surrogate, a number out of range, a value that contains itself, an unknown type."""

DECODE_ERRORS = (msgspec.MsgspecError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError, OSError, ImportError)
"""What foreign bytes raise out of a decoder; OSError and LookupError come from names of time zones, ImportError from psycopg's types."""


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    """A mutable value, still as bytes that are known to decode."""

    data: bytes


def pack(value: object) -> object:
    """
    Turn ``value`` into something that `encode` writes and `unpack` turns back.

    :raises CodecError: it, or something in it, would not come back equal and of the same type.
    """
    kind = type(value)
    if kind in _NATIVE:
        return value
    packer = _PACKERS.get(kind) or _psycopg_packer(kind)
    if packer is None:
        raise CodecError(f"a value of type {kind.__module__}.{kind.__qualname__} cannot be stored so that it comes back the same")
    return packer(value)


def freeze(value: object) -> object:
    """Like `pack`, but anything mutable becomes an extension that `unfreeze` keeps as bytes."""
    packed = pack(value)
    kind = type(value)
    immutable = kind in _NATIVE or kind in _IMMUTABLE or _psycopg_packer(kind) is _pack_range
    return packed if immutable else Ext(_FROZEN, encode(packed))


def thaw(frozen: Frozen) -> object:
    """Return a fresh value of its own."""
    return _decoder.decode(frozen.data)


def unpack(code: int, data: memoryview) -> object:
    """Turn one extension into its value; the ``ext_hook`` of decoders. Raises one of `DECODE_ERRORS` on what is not ours."""
    return _UNPACKERS[code](bytes(data))


def unfreeze(code: int, data: memoryview) -> object:
    """The ``ext_hook`` of decoders whose results are kept: mutable values are checked and stay bytes."""
    if code != _FROZEN:
        return unpack(code, data)
    frozen = Frozen(bytes(data))
    thaw(frozen)  # foreign bytes must fail in the decoder, not later in the hands of a caller
    return frozen


# --- into msgpack -------------------------------------------------------------------------------------------------


def _pack_int(value: int) -> object:
    if INT_MIN <= value <= INT_MAX:
        return value
    return Ext(_BIGINT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _pack_dict(value: dict[object, object]) -> object:
    if all(type(key) is str for key in value):
        return {key: pack(item) for key, item in value.items()}
    return Ext(_DICT, encode([[pack(key), pack(item)] for key, item in value.items()]))


def _pack_datetime(value: datetime.datetime) -> object:
    if value.tzinfo is UTC and not value.fold:
        return value
    return Ext(_DATETIME, encode([value.replace(tzinfo=None, fold=0).isoformat(), value.fold, _pack_zone(value.tzinfo)]))


def _pack_time(value: datetime.time) -> object:
    return Ext(_TIME, encode([value.replace(tzinfo=None, fold=0).isoformat(), value.fold, _pack_zone(value.tzinfo)]))


def _pack_zone(zone: datetime.tzinfo | None) -> object:
    if zone is None:
        return None
    if type(zone) is datetime.timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        named = name != datetime.timezone(offset).tzname(None)
        return [offset.days, offset.seconds, offset.microseconds, name if named else None]
    key = getattr(zone, "key", None)  # a ZoneInfo read from a file may have none
    if type(zone) is zoneinfo.ZoneInfo and key is not None and zoneinfo.ZoneInfo(key) is zone:
        return key
    raise CodecError(f"the time zone {zone!r} cannot be stored so that it comes back the same")


def _pack_range(value: Any) -> object:
    bounds = None if value.isempty else value.bounds
    return Ext(_RANGE, encode([pack(value.lower), pack(value.upper), bounds]))


def _psycopg_packer(kind: type) -> Callable[[Any], object] | None:
    """psycopg's ranges, if psycopg is there: a value of such a type cannot exist before its module was imported."""
    for module_name, name, packer in _PSYCOPG:
        module = sys.modules.get(module_name)
        if module is not None and kind is getattr(module, name):
            return packer
    return None


def _as_text(code: int) -> Callable[[object], object]:
    return lambda value: Ext(code, str(value).encode())


_NATIVE = frozenset({type(None), bool, float, str, bytes})
_PACKERS: dict[type, Callable[[Any], object]] = {
    int: _pack_int,
    list: lambda value: [pack(item) for item in value],
    dict: _pack_dict,
    tuple: lambda value: Ext(_TUPLE, encode([pack(item) for item in value])),
    decimal.Decimal: _as_text(_DECIMAL),
    datetime.datetime: _pack_datetime,
    datetime.date: lambda value: Ext(_DATE, value.isoformat().encode()),
    datetime.time: _pack_time,
    datetime.timedelta: lambda value: Ext(_TIMEDELTA, encode([value.days, value.seconds, value.microseconds])),
    uuid.UUID: lambda value: Ext(_UUID, value.bytes),
    memoryview: lambda value: Ext(_MEMORYVIEW, _flat_bytes(value)),
    bytearray: lambda value: Ext(_BYTEARRAY, bytes(value)),
    **{kind: _as_text(code) for code, kind in _IP_CODES.items()},
}
_IMMUTABLE = frozenset(_PACKERS) - {list, dict, tuple, memoryview, bytearray}
_PSYCOPG: tuple[tuple[str, str, Callable[[Any], object]], ...] = (
    ("psycopg.types.range", "Range", _pack_range),
    ("psycopg.types.multirange", "Multirange", lambda value: Ext(_MULTIRANGE, encode([pack(item) for item in value]))),
)


def _flat_bytes(view: memoryview) -> bytes:
    if view.format != "B" or view.ndim != 1:
        raise CodecError(f"a memoryview of format {view.format!r} and {view.ndim} dimensions cannot be stored; flat bytes can")
    return view.tobytes()


# --- and back -----------------------------------------------------------------------------------------------------


def _unpack_datetime(data: bytes) -> datetime.datetime:
    text, fold, zone = cast("list[Any]", _decoder.decode(data))
    return datetime.datetime.fromisoformat(text).replace(tzinfo=_unpack_zone(zone), fold=fold)


def _unpack_time(data: bytes) -> datetime.time:
    text, fold, zone = cast("list[Any]", _decoder.decode(data))
    return datetime.time.fromisoformat(text).replace(tzinfo=_unpack_zone(zone), fold=fold)


def _unpack_zone(zone: Any) -> datetime.tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        return zoneinfo.ZoneInfo(zone)
    days, seconds, microseconds, name = zone
    offset = datetime.timedelta(days, seconds, microseconds)
    return datetime.timezone(offset) if name is None else datetime.timezone(offset, name)


def _unpack_range(data: bytes) -> object:
    lower, upper, bounds = cast("list[Any]", _decoder.decode(data))
    kind = importlib.import_module("psycopg.types.range").Range
    return kind(empty=True) if bounds is None else kind(lower, upper, bounds)


def _unpack_multirange(data: bytes) -> object:
    return importlib.import_module("psycopg.types.multirange").Multirange(_decoder.decode(data))


def _from_text(kind: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: kind(data.decode())


_UNPACKERS: dict[int, Callable[[bytes], object]] = {
    _BIGINT: lambda data: int.from_bytes(data, "big", signed=True),
    _DECIMAL: _from_text(decimal.Decimal),
    _DATETIME: _unpack_datetime,
    _DATE: _from_text(datetime.date.fromisoformat),
    _TIME: _unpack_time,
    _TIMEDELTA: lambda data: datetime.timedelta(*_decoder.decode(data)),
    _UUID: lambda data: uuid.UUID(bytes=data),
    _TUPLE: lambda data: tuple(_decoder.decode(data)),
    _DICT: lambda data: dict(_decoder.decode(data)),
    _MEMORYVIEW: memoryview,
    _BYTEARRAY: bytearray,
    **{code: _from_text(kind) for code, kind in _IP_CODES.items()},
    _RANGE: _unpack_range,
    _MULTIRANGE: _unpack_multirange,
}

_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Any, ext_hook=unpack)
