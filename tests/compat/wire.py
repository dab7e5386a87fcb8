"""
What the project sends to its database, statement by statement, as Django and as the driver see it: ``python -m tests.compat.wire``.

Names that hold the number of a thread (savepoints, server-side cursors) are made equal; nothing else is.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command

from tests.compat import forms

_THREADS = (re.compile(r"\bs\d+_x(?=\d)"), re.compile(r"_django_curs_\d+_\w+?_(?=\d+\b)"))


def alike(text: str) -> str:
    for pattern in _THREADS:
        text = pattern.sub("<thread>", text)
    return text


def traced(act: Callable[[], None]) -> list[str]:
    """Return what the driver sent while ``act`` ran: SQLite's own trace, on PostgreSQL the messages of the protocol."""
    from django.db import connection

    connection.ensure_connection()
    raw: Any = connection.connection
    if connection.vendor == "sqlite":
        sent: list[str] = []
        raw.set_trace_callback(sent.append)
        act()
        raw.set_trace_callback(None)
        return [alike(text) for text in sent]
    from psycopg.pq import Trace

    with tempfile.TemporaryFile() as file:
        raw.pgconn.trace(file.fileno())
        raw.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS | Trace.REGRESS_MODE)
        act()
        raw.pgconn.untrace()
        file.seek(0)
        lines = [line.split("\t") for line in file.read().decode().splitlines()]
    # F: from the frontend. A length counts the digits of threads, and how often a pipeline is flushed depends on the time of day.
    return [alike("\t".join(fields[2:])) for fields in lines if fields[0] == "F" and fields[2] != "Flush"]


def work() -> None:
    """Write in every form, and read in every form before and after."""
    from tests.compat.depot.models import Crate, Depot, cached

    for name, form in forms.all_forms().items():
        if name == "cascade":
            for read in forms.all_reads().values():
                read(Crate.objects, Depot.objects)
                read(cached(Crate), cached(Depot))
        form()
    for read in forms.all_reads().values():
        read(Crate.objects, Depot.objects)


def report() -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    statements: list[str] = []

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        statements.append(alike(f"{sql!r} {params!r} {many}"))
        return execute(sql, params, many, context)

    def wrapped() -> None:
        with connection.execute_wrapper(note):
            work()

    first = traced(wrapped)
    call_command("flush", interactive=False, verbosity=0)
    forms.fill()
    with CaptureQueriesContext(connection) as queries:
        second = traced(work)
    return {
        "statements": statements, "driver": first, "driver, debug": second,
        "queries": [alike(query["sql"]) for query in queries.captured_queries],
        "ours": sorted(name for name in sys.modules if name.partition(".")[0] == "cache_consistency"),
    }


if __name__ == "__main__":
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    forms.fill()
    json.dump(report(), sys.stdout)
