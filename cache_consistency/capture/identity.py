"""
Which database a tag speaks of, so that test runs, copies and tenants that share one store never share a tag.

Readers and writers must agree, so the text is made of what is the same for every process that uses the database in the same way: vendor,
host, port and name as configured, and PostgreSQL's system identifier where the role may ask for it. A file of SQLite is known by its real
path and its inode (a new file under an old name is another database), a database in memory by a random text.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from cache_consistency import events
from cache_consistency.capture import driver
from cache_consistency.capture.state import state_of
from cache_consistency.conf import app_settings, on_change
from cache_consistency.exceptions import CacheConsistencyError
from cache_consistency.protocol.tags import digest

_LENGTH = 16
_DEFAULT_PORTS = {"postgresql": "5432", "mysql": "3306", "oracle": "1521"}



class Unnamed(CacheConsistencyError):
    """The project's own function that names the data (``VARY``, ``DATABASE_IDENTITY``) failed: no key and no tag can be made."""


_lock = threading.Lock()
_known: dict[tuple[str, ...], str] = {}
_memory: dict[tuple[int, str], str] = {}


def database_identity(connection: BaseDatabaseWrapper) -> str:
    """
    Return 16 hexadecimal digits that stand for the database behind ``connection``.

    The first call of a process for a PostgreSQL or SQLite database opens the connection; later ones are a lookup.

    :raises Unnamed: the project's function failed.
    """
    given = app_settings().DATABASE_IDENTITY
    if callable(given):
        return _short("given", _answer("DATABASE_IDENTITY", given, connection))
    if isinstance(given, Mapping) and connection.alias in given:
        return _short("given", str(given[connection.alias]))
    if connection.vendor == "sqlite":
        return _sqlite(connection)
    where = _configured(connection)
    if where not in _known:
        _known[where] = _short(*where, _system_identifier(connection))
    return _known[where]


def vary(connection: BaseDatabaseWrapper) -> str:
    """
    Return what the project's ``VARY`` says of ``connection``: schema, tenant, role; "" without one.

    :raises Unnamed: the project's function failed.
    """
    function = app_settings().VARY
    return "" if function is None else _answer("VARY", function, connection)


def _answer(setting: str, function: Callable[..., object], connection: BaseDatabaseWrapper) -> str:
    """Ask a function of the project; whatever it raises is counted, said once, and must not be the trouble of who reads or writes."""
    try:
        return str(function(connection))
    except Exception as error:
        events.count("unnamed", connection.alias, setting)
        events.warn_once(
            f"unnamed:{setting}:{connection.alias}",
            "%s failed for database %r (%s): reads ask the database, and each write gives up all entries until it works",
            setting, connection.alias, type(error).__name__,
        )
        raise Unnamed(f"{setting} failed for database {connection.alias!r}: {type(error).__name__}") from error


def _short(*texts: str) -> str:
    return digest("\0".join(texts).encode())[:_LENGTH]


def _configured(connection: BaseDatabaseWrapper) -> tuple[str, ...]:
    settings: dict[str, Any] = connection.settings_dict
    options: dict[str, Any] = settings.get("OPTIONS") or {}
    return (
        connection.vendor,
        str(settings.get("HOST") or options.get("host") or "").lower(),
        str(settings.get("PORT") or options.get("port") or _DEFAULT_PORTS.get(connection.vendor, "")),
        str(settings.get("NAME") or options.get("dbname") or ""),
        str(options.get("service") or ""),
    )


def _system_identifier(connection: BaseDatabaseWrapper) -> str:
    """Ask PostgreSQL for the number that its data directory got from initdb; "" elsewhere, or when the role may not ask."""
    if connection.vendor != "postgresql":
        return ""
    # Asked for first: a refused function would abort the transaction that may be open here.
    allowed = driver.ask(connection, "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'execute')")[0][0]
    if not allowed:
        events.warn_once(
            f"identity:{connection.alias}",
            "The role of database %r may not call pg_control_system(): copies of a database under one host, port and name "
            "share their tags. Grant it, or set CACHE_CONSISTENCY['DATABASE_IDENTITY'].",
            connection.alias,
        )
        return ""
    return str(driver.ask(connection, "SELECT system_identifier FROM pg_catalog.pg_control_system()")[0][0])


def _sqlite(connection: BaseDatabaseWrapper) -> str:
    name = str(connection.settings_dict["NAME"])
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        return _in_memory(connection, name)
    path = os.path.realpath(_path(name))
    inode = _inode(path)
    if not inode:
        connection.ensure_connection()                                # creates the file, so that it has its inode
        inode = _inode(path)
    return _short("sqlite", path, str(inode))


def unopened_file(connection: BaseDatabaseWrapper) -> int:
    """
    Return the inode of the file that a wrapper of SQLite would open; 0 once it has, for other databases, and where there is no file.

    A wrapper that is open keeps the file it has opened. One that is not, as that of an event loop's thread, must notice a new one.
    """
    if connection.connection is not None or connection.vendor != "sqlite":
        return 0
    return _inode(_path(str(connection.settings_dict["NAME"])))


def _path(name: str) -> str:
    return name.removeprefix("file:").partition("?")[0] if name.startswith("file:") else name


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _in_memory(connection: BaseDatabaseWrapper, name: str) -> str:
    """Return a random text: per wrapper for ":memory:", per process for the named one that Django's tests share between threads."""
    if name == ":memory:":
        state = state_of(connection)
        if state.memory_identity is None:
            state.memory_identity = secrets.token_hex(_LENGTH // 2)
        return state.memory_identity
    with _lock:
        return _memory.setdefault((os.getpid(), name), secrets.token_hex(_LENGTH // 2))


@on_change
def _forget() -> None:
    _known.clear()
