"""Tables whose names mislead: raw SQL that writes them is seen all the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shelf.stage import Stage
from tests.strange.models import Dotted, Street, cached_in


@pytest.mark.parametrize(("model", "sql"), [
    (Dotted, 'UPDATE "strange.dotted" SET version = 2'),
    (Street, "UPDATE straße SET version = 2"),
    (Street, 'UPDATE "straße" SET version = 2'),
], ids=["a dot inside the name", "a letter that has no upper case", "the same, quoted"])
def test_a_raw_write_is_seen_whatever_the_table_is_called(stage: Stage, model: Any, sql: str) -> None:
    pk = model.objects.using(stage.database).create().pk

    def read() -> Any:
        return cached_in(stage.database, model).get(pk=pk).version
    read()
    assert stage.asked(read) == (1, 0)
    with stage.connection.cursor() as cursor:
        cursor.execute(sql)
    assert read() == 2
