"""Functions of PostgreSQL that write, called where a read is expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F, Func, IntegerField, Value

from tests.shelf.stage import Stage
from tests.strange.models import Dotted, cached_in


class Writes(Func):
    function = "strange_write"
    output_field = IntegerField()


def _execute(stage: Stage, sql: str) -> None:
    with stage.connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize("call", [
    lambda stage: _execute(stage, 'SELECT "strange_write"(2)'),
    lambda stage: _execute(stage, 'SELECT "public"."strange_write"(2)'),
    lambda stage: list(stage.books.annotate(written=Writes(F("version") + Value(1)))),
    lambda stage: _execute(stage, 'SELECT "isbn", strange_write(2) FROM "shelf_book"'),
    lambda stage: _execute(stage, "DECLARE strange_cursor CURSOR WITH HOLD FOR SELECT strange_write(2)"),
    lambda stage: _execute(stage, "CREATE TEMPORARY TABLE strange_copy AS SELECT strange_write(2)"),
    lambda stage: _execute(stage, 'SELECT "isbn" FROM "shelf_book"; UPDATE "strange.dotted" SET version = 2'),
    lambda stage: _execute(stage, 'SAVEPOINT x; UPDATE "strange.dotted" SET version = 2'),
    lambda stage: _execute(stage, 'UPDATE ONLY ("strange.dotted") SET version = 2'),
    lambda stage: _execute(stage, 'UPDATE U&"strange\\002edotted" SET version = 2'),
], ids=[
    "quoted", "with its schema", "by an annotation of the ORM", "after a column", "by a cursor that is held", "by a table made of it",
    "no function, after a SELECT", "no function, after a SAVEPOINT", "no function, in brackets", "no function, a coded name",
])
def test_a_function_that_writes_is_seen_in_whatever_select_it_stands(stage: Stage, call: Callable[[Stage], Any]) -> None:
    if stage.connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's functions")
    stage.book()
    pk = Dotted.objects.using(stage.database).create().pk
    _execute(stage, """
        CREATE OR REPLACE FUNCTION strange_write(wanted int) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN UPDATE "strange.dotted" SET version = wanted; RETURN wanted; END $$
    """)
    try:
        def read() -> Any:
            return cached_in(stage.database, Dotted).get(pk=pk).version
        read()
        assert stage.asked(read) == (1, 0)
        call(stage)
        assert read() == 2
    finally:
        _execute(stage, "DROP FUNCTION strange_write")
