"""Which functions of a PostgreSQL database may write: only its catalogue knows, and what it said is remembered."""

from __future__ import annotations

from collections.abc import Collection

from django.db.backends.base.base import BaseDatabaseWrapper

from cache_consistency.capture import driver

# A volatile function of SQL or PL/… may do anything. What an extension wrote in C (uuid_generate_v4) touches no tables; dblink's does.
_QUESTION = """
    SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.proname = ANY(%s) AND p.provolatile = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND (l.lanname NOT IN ('c', 'internal') OR p.proname LIKE 'dblink%%')
"""
_MOST = 10_000
_known: dict[tuple[str, str, str], bool] = {}


def writing_functions(connection: BaseDatabaseWrapper, names: Collection[str]) -> bool:
    """Return whether one of ``names`` (lower case) may write; one round trip for names not met before, none later."""
    database = str(connection.settings_dict["NAME"])
    keys = {name: (connection.alias, database, name) for name in names}
    unknown = [name for name, key in keys.items() if key not in _known]
    if unknown and driver.is_broken(connection):
        return False                                                  # PostgreSQL refuses whatever comes next, also this statement
    if unknown:
        if len(_known) > _MOST:
            _known.clear()
            unknown = list(names)
        writing = {str(row[0]).lower() for row in driver.ask(connection, _QUESTION, (unknown,))}
        _known.update({keys[name]: name in writing for name in unknown})
    return any(_known[key] for key in keys.values())


def forget() -> None:
    """Ask anew: a function was defined."""
    _known.clear()
