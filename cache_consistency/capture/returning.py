"""
SQL that writes and tells what it wrote: RETURNING, and on PostgreSQL an UPDATE that also tells what stood there before.

On PostgreSQL, RETURNING sees only the new row, so an UPDATE that sets a lookup is joined with a locked subselect of the old ones:
``UPDATE t SET … FROM (SELECT pk cc0, lookup cc1 FROM t WHERE … FOR NO KEY UPDATE) cc_old WHERE t.pk = cc_old.cc0 RETURNING …``. The lock is
what makes the answer true: without it a concurrent writer's value would be missed and a row updated whose WHERE no longer holds.
``FOR UPDATE`` would stand in the way of inserts of children, a plain UPDATE does not, and nor does ``FOR NO KEY UPDATE``.

SQLite has one writer at a time: a SELECT before the UPDATE, under the write lock, is as true and cheaper.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import FullResultSet

from cache_consistency.capture.plans import WritePlan

Params = tuple[Any, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Where:
    """A statement cut before its WHERE."""

    head: str
    text: str
    """Without the word WHERE; "" where there is none."""
    params: Params


def cut_where(compiler: Any, sql: str, params: Params, plan: WritePlan) -> Where | None:
    """
    Cut an UPDATE before its WHERE; None: it does not end as its query says (a backend with SQL of its own).

    The WHERE of a write by one primary key is recognised by its text; any other is compiled once more.
    """
    tail = plan.pinned_tail
    if tail and sql.endswith(tail) and sql.count(" WHERE ") == 1:
        return Where(sql[: -len(tail)], tail[len(" WHERE "):], params[-1:])
    try:
        text, where_params = compiler.compile(compiler.query.where)
    except FullResultSet:
        return Where(sql, "", ())
    if not sql.endswith(f" WHERE {text}"):
        return None
    return Where(sql[: -len(f" WHERE {text}")], text, tuple(where_params))


def with_returning(sql: str, asked: str, columns: Sequence[str]) -> str:
    """Append RETURNING: what the caller asked for (``RETURNING a, b`` or ""), then ``columns``."""
    return f"{sql} {asked}, {', '.join(columns)}" if asked else f"{sql} RETURNING {', '.join(columns)}"


def with_old_values(where: Where, asked: str, plan: WritePlan) -> str:
    """Return the UPDATE that returns what was asked for, the pk and lookups as they are now, and the same as they were."""
    names = [f"cc{number}" for number in range(plan.width)]
    selected = ", ".join(f"{column} {name}" for column, name in zip(plan.columns, names, strict=True))
    condition = f" WHERE {where.text}" if where.text else ""
    same_row = " AND ".join(f"{column} = cc_old.{name}" for column, name in zip(plan.columns[: len(plan.pk_fields)], names, strict=False))
    update = (
        f"{where.head} FROM (SELECT {selected} FROM {plan.quoted}{condition} FOR NO KEY UPDATE) cc_old WHERE {same_row}"
    )
    return with_returning(update, asked, (*plan.columns, *(f"cc_old.{name}" for name in names)))


def select_old(where: Where, plan: WritePlan) -> str:
    """Return the SELECT of pk and lookups of the rows that an UPDATE is going to change."""
    condition = f" WHERE {where.text}" if where.text else ""
    return f"SELECT {', '.join(plan.columns)} FROM {plan.quoted}{condition}"
