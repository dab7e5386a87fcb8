"""
A policy: how one model is cached. Written in ``class Meta``, handed to ``register``, or put into ``CACHE_CONSISTENCY["MODELS"]``.

A policy remembers only what it names; what it leaves out follows the settings at the moment of use, so that ``override_settings`` reaches
policies that were written when the models were imported.
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cache_consistency.conf import MODES, app_settings
from cache_consistency.durations import seconds
from cache_consistency.exceptions import DeclarationError

KEYS = ("ttl", "lookups", "mode")
BUILT_MODES = ("fresh",)
"""Modes that this release keeps; the other known names are reported by a check, and such models are read as ``fresh``."""


class PolicyError(DeclarationError):
    """A policy that cannot be understood; ``key`` is what is wrong: one of `KEYS`, ``"?"`` an unknown one, ``""`` the whole."""

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message)
        self.key = key


@dataclasses.dataclass(frozen=True, slots=True, init=False, repr=False)
class CachePolicy:
    """
    How the rows of one model are cached.

    :param ttl: how long an entry is kept: seconds, a ``timedelta`` or a text such as ``"10m"``; default: the setting ``TTL``.
    :param lookups: names of concrete fields whose equality finds rows; the pk and unique fields are lookups without being named.
    :param mode: the promise; default: the setting ``MODE``.
    :raises PolicyError: naming the key, what it holds and what it may hold.
    """

    lookups: tuple[str, ...]
    named_ttl: float | None
    named_mode: str | None

    def __init__(
        self, *, ttl: float | str | datetime.timedelta | None = None, lookups: Iterable[str] = (), mode: str | None = None,
    ) -> None:
        object.__setattr__(self, "named_ttl", None if ttl is None else _ttl(ttl))
        object.__setattr__(self, "lookups", _lookups(lookups))
        object.__setattr__(self, "named_mode", None if mode is None else _mode(mode))

    @property
    def ttl(self) -> float:
        """Seconds an entry is kept, more than 0: memory, not freshness."""
        return app_settings().TTL if self.named_ttl is None else self.named_ttl

    @property
    def mode(self) -> str:
        """The promise asked for, one of ``conf.MODES``."""
        return app_settings().MODE if self.named_mode is None else self.named_mode

    def __repr__(self) -> str:
        named = {"ttl": self.named_ttl, "lookups": self.lookups or None, "mode": self.named_mode}
        return f"CachePolicy({', '.join(f'{name}={value!r}' for name, value in named.items() if value is not None)})"


def parse(value: object, *, where: str) -> CachePolicy:
    """
    Return the policy that somebody wrote down.

    :param value: a `CachePolicy`, or a dict with some of `KEYS`; an empty dict is a policy that leaves everything to the settings.
    :param where: where it is written, to begin the message with: ``"shop.Product: cache_policy"``.
    :raises PolicyError: it is neither, a key is unknown, or a value cannot be understood.
    """
    if isinstance(value, CachePolicy):
        return value
    if not isinstance(value, Mapping):
        raise PolicyError(f"{where} must be a dict or a CachePolicy, not {value!r}.", key="")
    unknown = [key for key in value if key not in KEYS]
    if unknown:
        raise PolicyError(f"{where} has no key {unknown[0]!r}. {suggestion(unknown[0], KEYS)}", key="?")
    try:
        return CachePolicy(**value)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}", key=error.key) from error


def suggestion(wrong: object, known: Iterable[str]) -> str:
    """Return a hint: the known name that is meant, if one is close, and all of them."""
    names = sorted(set(known))
    close = difflib.get_close_matches(str(wrong), names, n=1)
    return (f"Did you mean {close[0]!r}? " if close else "") + f"Known: {', '.join(names) or 'none'}."


def _ttl(value: Any) -> float:
    try:
        result = seconds(value)
    except ValueError as error:
        raise PolicyError(f"ttl {error}.", key="ttl") from error
    if not result:
        raise PolicyError(f"ttl {value!r} must be more than 0; leave the policy away, or write None, to cache nothing.", key="ttl")
    return result


def _lookups(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        raise PolicyError(f"lookups must be a list of field names, not the text {value!r}; write [{value!r}].", key="lookups")
    if not isinstance(value, (Sequence, set, frozenset)) or not all(isinstance(name, str) for name in value):
        raise PolicyError(f"lookups must be a list of field names, not {value!r}.", key="lookups")
    return tuple(dict.fromkeys(value if isinstance(value, Sequence) else sorted(value)))


def _mode(value: object) -> str:
    if value not in MODES:
        raise PolicyError(f"mode {value!r} is unknown. {suggestion(value, MODES)}", key="mode")
    return str(value)
