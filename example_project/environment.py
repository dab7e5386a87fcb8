"""
What the shop takes from the environment: addresses of its servers, and two switches.

``DATABASE_URL``  ``sqlite:///path`` or ``postgres://user:password@host:port/name``; default: a SQLite file in the checkout
``REDIS_URL``     ``redis://host:port/0``; that database holds Django's default cache, the next one the consistent store
``CELERY_BROKER_URL``  default: the third database of the same Redis
``CACHE``         ``consistent``, ``naive`` (the hand-made caching the shop once had) or ``off``

While a demonstration runs it leaves its own values in ``.run/demo.json``: whatever the environment does not say is taken from there, so
that ``python manage.py shell`` in a second terminal looks at the same shop.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

BASE = Path(__file__).resolve().parent.parent
RUN_FILE = Path(os.environ.get("DEMO_RUN_FILE") or BASE / ".run" / "demo.json")
_SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"


def read(run_file: Path = RUN_FILE) -> Mapping[str, str]:
    """Return the process's environment, completed by that of a demonstration that is running now."""
    return {**_demonstration(run_file), **os.environ}


def _demonstration(run_file: Path) -> dict[str, str]:
    try:
        left = json.loads(run_file.read_text())
        lent = {str(name): str(value) for name, value in left["environment"].items()}
        os.kill(int(left["pid"]), 0)  # signal 0 asks whether the process is there; a demo that crashed left a file and nothing else
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return lent


def database(url: str) -> dict[str, Any]:
    """
    Turn a URL into an entry of ``DATABASES``; its query becomes OPTIONS (``?sslmode=require``).

    :raises ValueError: a scheme that the shop does not know.
    """
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    if parts.scheme == "sqlite":
        # sqlite:///relative, sqlite:////absolute, sqlite://:memory:
        name = parts.netloc or unquote(parts.path).removeprefix("/")
        options = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": _SQLITE_PRAGMAS, **options}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options}
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.removeprefix("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "OPTIONS": options,
            "CONN_MAX_AGE": 60,
        }
    raise ValueError(f"DATABASE_URL begins with {parts.scheme!r}; the shop knows sqlite, postgres and postgresql")


def redis_database(url: str, offset: int) -> str:
    """
    Return ``url`` with the database ``offset`` places after its own: each user of one Redis gets its own.

    :raises ValueError: the path is not a number.
    """
    parts = urlsplit(url)
    first = parts.path.strip("/") or "0"
    if not first.isdigit():
        raise ValueError(f"REDIS_URL ends with {parts.path!r}; it must be the number of a database")
    return urlunsplit(parts._replace(path=f"/{int(first) + offset}"))
