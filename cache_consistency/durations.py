"""Durations as people write them: seconds, ``timedelta``, or texts such as ``"10m"`` and ``"1h30m"``."""

from __future__ import annotations

import datetime
import math
import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")


def seconds(value: object) -> float:
    """
    Return a duration in seconds.

    :raises ValueError: it is none, is negative, or is not finite; the message shows what may be written.
    """
    if isinstance(value, datetime.timedelta):
        result = value.total_seconds()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        result = float(value)
    elif isinstance(value, str):
        result = _parse(value.strip())
    else:
        raise ValueError(f"{value!r} is not a duration: write seconds, a timedelta, or a text such as '10m' or '1h30m'")
    if not math.isfinite(result) or result < 0:
        raise ValueError(f"{value!r} is not a duration: it must be finite and not negative")
    return result


def _parse(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = list(_PART.finditer(text))
    if not found or "".join(match[0] for match in found) != text:
        raise ValueError(f"{text!r} is not a duration: write '90s', '10m', '1h30m' or '1d'")
    return sum(float(match[1]) * _UNITS[match[2]] for match in found)
