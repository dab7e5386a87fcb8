"""
Values told apart by text: two values that a database may answer differently never share one.

Every parameter of a query becomes part of its description. What is not known here has no text, and its query is not cached: guessing
from ``repr`` would make one question out of two as soon as somebody's class says less than it holds.
"""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

_TIMED = (datetime.datetime, datetime.time)
_BASES = (bool, int, float, str, bytes, decimal.Decimal, uuid.UUID)
_REPR: dict[type, Callable[[Any], str]] = {
    **dict.fromkeys((*_BASES, type(None), datetime.date, datetime.timedelta), ascii),
    # Their repr is their time zone's, and may say less than the offset does; the instant is all that a database gets.
    **dict.fromkeys(_TIMED, lambda value: value.isoformat()),
    **dict.fromkeys((ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Interface, ipaddress.IPv6Interface,
                     ipaddress.IPv4Network, ipaddress.IPv6Network), str),
    memoryview: lambda value: ascii(bytes(value)),
    bytearray: lambda value: ascii(bytes(value)),
}  # fmt: skip
_COLLECTIONS = frozenset({"builtins.list", "builtins.tuple", "django.utils.datastructures.OrderedSet"})
_DRIVERS = ("psycopg", "django.db.backends")


def literal(value: object) -> str | None:
    """Return an ASCII text that stands for ``value`` and for nothing else, or None if there is none."""
    kind = value.__class__
    text = _REPR.get(kind)
    if text is not None:
        return f"{kind.__name__}:{text(value)}"
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name in _COLLECTIONS:
        return _joined(kind.__name__, value)
    if isinstance(value, Mapping):
        return _joined(name, [part for pair in value.items() for part in pair])
    base = next((base for base in _BASES if isinstance(value, base)), None)
    if base is not None:                                            # members of TextChoices, SafeString, a driver's typed numbers
        return f"{name}:{_as(base, value)!a}"
    return _of_driver(name, value) if name.startswith(_DRIVERS) else None


def _joined(name: str, items: Any) -> str | None:
    parts = [literal(item) for item in items]
    known = [part for part in parts if part is not None]
    return f"{name}[{','.join(known)}]" if len(known) == len(parts) else None


_PLAIN: dict[type, Callable[[Any], object]] = {str: str.__str__, bytes: bytes.__bytes__, int: int.__int__, float: float.__float__}


def _as(base: type, value: Any) -> object:
    """Return the plain value that an instance of a subclass is to the database, whatever its own ``__str__`` says."""
    if base is uuid.UUID:
        return uuid.UUID(int=value.int)
    own = _PLAIN.get(base)
    return base(value) if own is None else own(value)


def _of_driver(name: str, value: Any) -> str | None:
    """Wrappers that Django makes of values for psycopg: JSON, binary data, ranges."""
    if hasattr(value, "dumps") and hasattr(value, "obj"):
        text = (value.dumps or json.dumps)(value.obj)
        return f"{name}:{text!a}" if isinstance(text, (str, bytes)) else None
    if hasattr(value, "obj"):
        return _joined(name, [value.obj])
    if hasattr(value, "lower") and hasattr(value, "bounds"):
        return _joined(name, [value.lower, value.upper, value.bounds])
    return None
