"""
Settings: one dict in Django's settings, one frozen dataclass here, read when used.

``settings.CACHE_CONSISTENCY = {"CACHE": "consistent"}``; each switch also as ``CACHE_CONSISTENCY_<NAME>`` in the environment, which wins.
Building the dataclass never raises for a value that a system check reports: the default stands in, and the site stays up.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from cache_consistency.durations import seconds
from cache_consistency.exceptions import CacheConsistencyError

NAME = "CACHE_CONSISTENCY"
READS = ("on", "off", "shadow")
MODES = ("fresh", "strict", "bounded", "ttl")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class ConfigurationError(CacheConsistencyError, ImproperlyConfigured):
    """A setting that cannot be used; the message says which, what it holds and what it may hold."""


def _switch(value: object) -> bool:
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    if isinstance(value, bool):
        return value
    raise ValueError("must be True or False")


def _one_of(*allowed: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(map(repr, allowed))}")
        return str(value)
    return parse


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not value or any(c in value for c in " :{}*?[]\r\n"):
        raise ValueError("must be a short ASCII text without spaces, ':' or glob characters")
    return value


def _optional_text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("must be a text or None")
    return value or None


class LazyCallable:
    """A callable named by its dotted path; it is imported when it is first called, since settings are read before models can be."""

    def __init__(self, path: str) -> None:
        self.path = path

    @functools.cached_property
    def function(self) -> Callable[..., str]:
        """
        :raises Exception: whatever the module raises when it is imported; ValueError for what is no callable.
        """
        found = import_string(self.path)
        if not callable(found):
            raise ValueError(f"names {self.path!r}, which is no callable")
        return found                                                # type: ignore[no-any-return]

    def __call__(self, *args: Any) -> str:
        return self.function(*args)


def _optional_callable(value: object) -> Callable[..., str] | None:
    if value is None or callable(value):
        return value
    if isinstance(value, str) and "." in value:
        return LazyCallable(value)
    raise ValueError("must be a callable, or the dotted path of one")


def _identity(value: object) -> Mapping[str, str] | Callable[..., str] | None:
    if value is None or callable(value) or isinstance(value, Mapping):
        return value
    raise ValueError("must be {alias: text} or a callable(connection) -> text")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError("must be a dict with 'app.Model' or 'app.*' as keys")
    return value


def _labels(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of 'app.Model' or table names")
    return tuple(value)


def _positive(value: object) -> float:
    result = seconds(value)
    if result <= 0:
        raise ValueError("must be more than 0")
    return result


def _share(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """All settings; durations are seconds, or texts such as ``"10m"``, or ``timedelta``."""

    ENABLED: bool = True
    """``False``: nothing of Django is replaced, every call passes through."""
    READS: str = "on"
    """``"off"``: writes mark, reads go to the database. ``"shadow"``: the database answers and a share is compared with the cache."""
    SHADOW_SHARE: float = 1.0
    """Which share of the reads is compared while ``READS`` is ``"shadow"``, 0 to 1."""
    CACHE: str | None = None
    """Alias in ``CACHES`` of the store, best one of its own; ``None``: everything works, uncached."""
    NAMESPACE: str = "cc"
    """First part of every key of ours."""
    DATABASE_IDENTITY: Mapping[str, str] | Callable[..., str] | None = None
    """``{alias: text}`` or ``callable(connection) -> text``; default: vendor, host, port, name and PostgreSQL's system identifier."""
    VARY: Callable[..., str] | None = None
    """``callable(connection) -> str``, part of every key and tag: schema, tenant, row-level security."""
    MODELS: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """``{"app.Model": policy}`` for models whose Meta cannot be changed; wins over Meta."""
    TRACK: tuple[str, ...] = ()
    """Models or tables whose writes are captured though nothing is cached by them directly."""
    MODE: str = "fresh"
    """Mode of policies that name none."""
    TTL: float = 3600.0
    """Seconds an entry is kept by policies that name none; memory, not freshness."""
    MARK_TTL: float = 10.0
    """Seconds after which a pending mark of a writer that vanished no longer holds readers off."""
    QUARANTINE: float = 10.0
    """Seconds a fresh epoch stores nothing; at least the longest ``MARK_TTL`` of any process in the namespace."""
    TIMEOUT: float = 0.25
    """Seconds one call to the store may take."""


_PARSERS: dict[str, Callable[[object], Any]] = {
    "ENABLED": _switch,
    "READS": _one_of(*READS),
    "SHADOW_SHARE": _share,
    "CACHE": _optional_text,
    "NAMESPACE": _text,
    "DATABASE_IDENTITY": _identity,
    "VARY": _optional_callable,
    "MODELS": _mapping,
    "TRACK": _labels,
    "MODE": _one_of(*MODES),
    "TTL": _positive,
    "MARK_TTL": _positive,
    "QUARANTINE": seconds,
    "TIMEOUT": _positive,
}
_FROM_ENVIRONMENT = ("ENABLED", "READS", "CACHE", "NAMESPACE", "MODE", "TTL", "MARK_TTL", "QUARANTINE", "TIMEOUT")


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A setting that was not understood; the checks report it."""

    name: str
    text: str


def _given() -> tuple[dict[str, object], list[Problem]]:
    given = getattr(django_settings, NAME, {})
    if not isinstance(given, Mapping):
        return {}, [Problem(NAME, f"must be a dict, not {type(given).__name__}")]
    merged = {**given, **{n: os.environ[f"{NAME}_{n}"] for n in _FROM_ENVIRONMENT if f"{NAME}_{n}" in os.environ}}
    return merged, []


@functools.cache
def _read() -> tuple[AppSettings, tuple[Problem, ...]]:
    given, problems = _given()
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _PARSERS:
            problems.append(Problem(str(name), f"is not a setting; known are {', '.join(_PARSERS)}"))
            continue
        try:
            values[name] = _PARSERS[name](value)
        except (ValueError, TypeError) as error:
            problems.append(Problem(name, f"{error} (it is {value!r})"))
    return AppSettings(**values), tuple(problems)


def app_settings() -> AppSettings:
    """Return the settings in force; what could not be understood stands at its default and is in `problems`."""
    return _read()[0]


def problems() -> tuple[Problem, ...]:
    """
    Return what was not understood; a callable that is named by its path is imported for that.

    :raises AppRegistryNotReady: that module needs models, and it is too early for them.
    """
    settings, found = _read()
    if isinstance(settings.VARY, LazyCallable):
        try:
            _ = settings.VARY.function
        except AppRegistryNotReady:
            raise
        except Exception as error:  # noqa: BLE001  # a module may raise anything while it is imported
            return (*found, Problem("VARY", f"cannot be imported: {error}"))
    return found


_listeners: list[Callable[[], None]] = []


def on_change(listener: Callable[[], None]) -> Callable[[], None]:
    """Call ``listener`` whenever the settings may have changed (``override_settings``)."""
    _listeners.append(listener)
    return listener


def reload() -> None:
    """Read the settings anew when they are next used."""
    _read.cache_clear()
    for listener in _listeners:
        listener()


@receiver(setting_changed)
def _changed(*, setting: str, **kwargs: object) -> None:
    if setting in {NAME, "CACHES", "DATABASES", "USE_TZ"}:              # the last decides what a stored moment means
        reload()
