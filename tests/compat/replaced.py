"""
What a start of the project replaces in Django, opens and starts: ``python -m tests.compat.replaced``.

Everything in Django's modules is looked at before and after: module globals, and what stands in the classes. What opens and starts is heard
from the interpreter's own audit events, which nobody can bypass from Python; only threads have none in Python 3.11.
"""

from __future__ import annotations

import importlib
import json
import socket
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterator
from types import ModuleType
from typing import Any

AUDITED = {
    "socket.connect", "socket.bind", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen", "os.fork",
}
MODULES = (
    "django.apps.config", "django.apps.registry", "django.conf", "django.core.cache", "django.core.handlers.wsgi",
    "django.core.management",
    "django.db.backends.base.base", "django.db.backends.postgresql.base", "django.db.backends.sqlite3.base",
    "django.db.backends.utils",
    "django.db.migrations.state", "django.db.migrations.executor", "django.db.models", "django.db.models.sql.compiler",
    "django.db.transaction", "django.db.utils", "django.dispatch", "django.forms.models", "django.test", "django.urls",
    "django.views.generic",
)
_ABSENT = object()
opened: list[str] = []


def _hear(event: str, arguments: Any) -> None:
    if event in AUDITED:
        opened.append(event)


def everything() -> dict[str, Any]:
    """Return by dotted name what Django's modules and their classes hold; a submodule is not counted as its package's."""
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name == "django" or name.startswith("django."):
            found.update(_of_module(name, module))
    return found


def _of_module(name: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
    for attribute, value in list(vars(module).items()):
        if isinstance(value, ModuleType):
            continue
        yield f"{name}.{attribute}", value
        if isinstance(value, type) and value.__module__ == name:
            yield from ((f"{name}.{attribute}.{key}", held) for key, held in list(vars(value).items()))


def receivers() -> list[str]:
    """Return the names of Django's signals that a function of ours listens to."""
    from django.dispatch import Signal

    signals = {id(value): (name.rpartition(".")[2], value) for name, value in everything().items() if isinstance(value, Signal)}
    return sorted(name for name, signal in signals.values() if any(map(_ours, signal.receivers)))


def _ours(entry: tuple[Any, ...]) -> bool:
    function = entry[1]() if isinstance(entry[1], weakref.ref) else entry[1]
    return str(getattr(function, "__module__", "")).startswith("cache_consistency")


def controls() -> list[str]:
    """Open and start one of each, to show that it would have been heard."""
    opened.clear()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    sqlite3.connect(":memory:").close()
    with socket.socket() as tried:
        tried.settimeout(0.1)
        tried.connect_ex(("127.0.0.1", 1))
    return sorted(set(opened))


def _hear_threads_and_psycopg() -> None:
    import psycopg

    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        opened.append("thread")
        start(thread)

    threading.Thread.start = started  # type: ignore[method-assign,assignment]
    psycopg.Connection.connect = lambda *args, **kwargs: opened.append("psycopg")  # type: ignore[method-assign,assignment]


def report() -> dict[str, Any]:
    for module in MODULES:
        importlib.import_module(module)
    before = everything()
    sys.addaudithook(_hear)
    _hear_threads_and_psycopg()
    import django

    django.setup()
    after = everything()
    changed = sorted(name for name, value in before.items() if after.get(name, _ABSENT) is not value)
    added = sorted(name for name in after.keys() - before.keys() if name.rpartition(".")[0] in before)
    heard, planned = list(opened), []
    if "cache_consistency" in sys.modules:
        from cache_consistency.capture import hooks

        planned = [f"{owner.__module__}.{owner.__qualname__}.{name}" for owner, name, _ in hooks._plan()]
    return {
        "changed": changed, "added": added, "opened": heard, "receivers": receivers(), "planned": planned, "controls": controls(),
        "looked at": len(before),
    }


if __name__ == "__main__":
    json.dump(report(), sys.stdout)
