"""Checks of ``CACHE_CONSISTENCY`` itself, and of what it says about databases and tenants."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.db import DEFAULT_DB_ALIAS

from cache_consistency.conf import NAME, AppSettings, Problem, app_settings, problems
from cache_consistency.declare.checks.catalogue import finding
from cache_consistency.declare.policy import suggestion

_KNOWN = tuple(AppSettings.__dataclass_fields__)
_TENANTS = ("django_tenants", "tenant_schemas")
_LOCAL = {"localhost", "127.0.0.1", "::1", ""}


def check_settings(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """E001, E002: not understood; E012: tenants without VARY; E013: a quarantine shorter than a mark."""
    return [*map(_misunderstood, problems()), *_tenants(), *_times()]


def _misunderstood(problem: Problem) -> CheckMessage:
    if problem.name in _KNOWN or problem.name == NAME:
        where = NAME if problem.name == NAME else f"{NAME}[{problem.name!r}]"
        meanwhile = "everything works, uncached" if problem.name == "VARY" else "the default is in force"
        return finding("E002", f"{where} {problem.text}.", hint=f"Correct it; until then {meanwhile}.")
    return finding("E001", f"{NAME} has no setting {problem.name!r}.", hint=suggestion(problem.name, _KNOWN))


def _tenants() -> Iterator[CheckMessage]:
    installed = [name for name in _TENANTS if apps.is_installed(name)]
    engines = [engine for engine in _engines() if engine.partition(".")[0] in _TENANTS]
    if (installed or engines) and app_settings().VARY is None:
        yield finding(
            "E012", f"{(installed or engines)[0]} changes the schema under one alias, and {NAME}['VARY'] is not set: "
            "tenants would share entries.",
            hint="Set VARY to a callable(connection) that returns the schema, e.g. lambda connection: connection.schema_name.",
        )


def _engines() -> list[str]:
    return [str(database.get("ENGINE", "")) for database in settings.DATABASES.values()]


def _times() -> Iterator[CheckMessage]:
    found = app_settings()
    if found.QUARANTINE < found.MARK_TTL:
        yield finding(
            "E013", f"{NAME}['QUARANTINE'] ({found.QUARANTINE:g} s) is shorter than MARK_TTL ({found.MARK_TTL:g} s): after a flush "
            "an entry could be stored while a writer whose mark was lost is still committing.",
            hint="Make QUARANTINE at least the longest MARK_TTL of any process in the namespace.",
        )


def check_databases(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """W011: by their settings two aliases are one database, and we would take them for two, or for one where they see different tables."""
    named = app_settings().DATABASE_IDENTITY
    if callable(named):
        return []
    told = named or {}
    pairs = itertools.combinations(sorted(settings.DATABASES, key=lambda alias: (alias != DEFAULT_DB_ALIAS, alias)), 2)
    return [message for first, second in pairs if not (first in told and second in told) for message in _compare(first, second)]


def _compare(first: str, second: str) -> Iterator[CheckMessage]:
    one, other = settings.DATABASES[first], settings.DATABASES[second]
    if not _address(one) or _address(one) != _address(other):
        return
    pair = f"The databases {first!r} and {second!r} are one database"
    if _as_written(one) != _as_written(other):
        yield finding(
            "W011", f"{pair} under two addresses: a write through one would not invalidate what was read through the other.",
            hint=f"Write the same HOST and PORT for both, or give both one name: {NAME}['DATABASE_IDENTITY'] = "
            f"{{{first!r}: 'main', {second!r}: 'main'}}.",
        )
    elif one.get("OPTIONS") != other.get("OPTIONS") or one.get("USER") != other.get("USER"):
        yield finding(
            "W011", f"{pair} with different OPTIONS or USER: they share tags, which is wrong if they see different tables "
            "(search_path, row-level security).",
            hint=f"Say whether they are the same in {NAME}['DATABASE_IDENTITY']: one name for both, or a name for each.",
        )


def _address(database: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what tells databases apart, with the spellings of this host made one; empty where every connection is a database."""
    engine, name = str(database.get("ENGINE", "")), str(database.get("NAME") or "")
    vendor = next((part for part in ("sqlite", "postg", "mysql", "oracle") if part in engine), engine)
    if not name or (vendor == "sqlite" and (":memory:" in name or "mode=memory" in name)):
        return ()
    host = str(database.get("HOST") or "").lower()
    default_port = {"postg": "5432", "mysql": "3306", "oracle": "1521"}.get(vendor, "")
    return vendor, "" if host in _LOCAL else host, str(database.get("PORT") or default_port), name


def _as_written(database: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(database.get(part) or "") for part in ("HOST", "PORT", "NAME"))
