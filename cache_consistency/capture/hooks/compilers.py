"""ORM writes: ``execute_sql`` of the insert, update and delete compilers opens a window that tells the cursor what the statement means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from cache_consistency import switches
from cache_consistency.capture import driver
from cache_consistency.capture.plans import write_plan_for
from cache_consistency.capture.state import state_of
from cache_consistency.capture.writes import Untracked, Verb, Window

Execute = Callable[..., Any]


def make_execute_sql(original: Execute, verb: Verb) -> Execute:
    """Return the replacement of one compiler's ``execute_sql`` (or ``execute_returning_sql``)."""

    def execute_sql(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not switches.active():
            return original(self, *args, **kwargs)
        current = state_of(self.connection)
        outer = current.window
        if outer is not None and outer.compiler is self:              # execute_returning_sql calls execute_sql
            return original(self, *args, **kwargs)
        plan = write_plan_for(self.connection, self.query.get_meta().db_table)
        current.window = Untracked(self, verb) if plan is None else Window(self, verb, plan)
        try:
            if plan is None:
                return original(self, *args, **kwargs)
            return _watched(self, current.window, lambda: original(self, *args, **kwargs))
        finally:
            current.window = outer

    return execute_sql


def delete_execute_sql(compiler_class: type[Any]) -> Execute:
    """Return what the delete compiler inherits, looked up late: a profiler may have replaced it meanwhile."""

    def execute_sql(self: Any, *args: Any, **kwargs: Any) -> Any:
        return super(compiler_class, self).execute_sql(*args, **kwargs)

    return execute_sql


def _watched(compiler: Any, window: Any, write: Callable[[], Any]) -> Any:
    """Write, with an ``as_sql`` that asks for what the tags need; where nothing can be put round the statement, in ``atomic()``."""
    as_sql = compiler.as_sql
    own = compiler.__dict__.get("as_sql")
    compiler.as_sql = lambda *args, **kwargs: window.compile(lambda: as_sql(*args, **kwargs))
    try:
        if driver.can_bracket(compiler.connection):
            return write()
        compiler.connection.ensure_connection()
        if not driver.commits_by_itself(compiler.connection):
            return write()
        with transaction.atomic(using=compiler.connection.alias, savepoint=False):
            return write()
    finally:
        if own is None:
            del compiler.as_sql
        else:
            compiler.as_sql = own
