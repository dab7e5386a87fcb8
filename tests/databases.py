"""The databases that tests run on, as Django settings; imported by the settings, so nothing here may need Django to be set up."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit


def sqlite_settings(alias: str, *, folder: Path) -> dict[str, Any]:
    """
    Settings of a SQLite *file* in WAL mode: an in-memory database cannot be shared by threads with connections of their own.

    ``CACHE_CONSISTENCY_TEST_SQLITE_<ALIAS>`` names another file, for a process that has to open the database of the test that started it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = os.environ.get(f"CACHE_CONSISTENCY_TEST_SQLITE_{alias.upper()}") or str(folder / f"{alias}.sqlite3")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "OPTIONS": {
            "timeout": 20.0,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
        # The process's number keeps two runs in one clone, and the workers of one run, apart.
        "TEST": {"NAME": str(folder / f"{alias}-{os.getpid()}.sqlite3")},
    }


def postgres_settings(url: str) -> dict[str, Any]:
    """Settings from ``postgresql://user:password@host:port/name?host=/folder/of/socket``; a query's ``host`` wins over the address's."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or query.get("user", "")),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host") or unquote(parts.hostname or ""),
        "PORT": str(parts.port or query.get("port", "")),
    }


def postgres_url(settings: Mapping[str, Any]) -> str:
    """Turn settings back into an address; the inverse of `postgres_settings`."""
    user, password = quote(settings["USER"], safe=""), quote(settings["PASSWORD"], safe="")
    query = {name: value for name, value in (("host", settings["HOST"]), ("port", str(settings["PORT"]))) if value}
    return f"postgresql://{user}:{password}@/{quote(settings['NAME'], safe='')}?{urlencode(query)}"
