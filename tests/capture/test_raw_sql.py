"""SQL of somebody's own: what its text says is what it marks."""

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.test.utils import CaptureQueriesContext

from cache_consistency import events
from cache_consistency.capture import driver
from tests.capture.models import Category, Item, Label
from tests.capture.recorder import Recorder

Told = Any
CATEGORY = {"category bulk", "category any"}
ITEM = {"item bulk", "item any"}


@pytest.fixture
def cursor(connection: Any, recorder: Recorder) -> Any:
    Category.objects.using(connection.alias).bulk_create([Category(pk=1, title="tea"), Category(pk=2, title="pots")])
    recorder.commits.clear()
    with connection.cursor() as cursor:
        yield cursor


def is_committed(database: str, title: str) -> bool:
    """Ask on a connection of its own."""
    other = connections.create_connection(database)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM capture_tests_category WHERE title = %s", [title])
            return bool(cursor.fetchone()[0])
    finally:
        other.close()


@pytest.mark.parametrize("sql", [
    "UPDATE capture_tests_category SET title = 'x'",
    'update "capture_tests_category" set title = %s',
    "/* DELETE FROM capture_tests_item */ -- ; \n UPDATE capture_tests_category SET title = 'x; DELETE FROM capture_tests_item'",
    "WITH t AS (SELECT 1) UPDATE capture_tests_category SET title = 'x' WHERE id IN (SELECT * FROM t)",
    "INSERT INTO capture_tests_category (title) SELECT title FROM capture_tests_label",
])
def test_a_raw_write_marks_its_table_and_is_committed(cursor: Any, told: Told, sql: str) -> None:
    cursor.execute(sql, ["x"] if "%s" in sql else None)
    assert told() == [CATEGORY]
    assert driver.commits_by_itself(cursor.db)


def test_many_parameters(cursor: Any, told: Told, database: str) -> None:
    cursor.executemany("UPDATE capture_tests_category SET title = %s WHERE id = %s", [("m", 1), ("n", 2)])
    assert told() == [CATEGORY]
    assert is_committed(database, "n")


def test_many_parameters_of_which_one_fails(cursor: Any, told: Told, database: str) -> None:
    with pytest.raises(IntegrityError):
        cursor.executemany("INSERT INTO capture_tests_category (id, title) VALUES (%s, %s)", [(50, "fifty"), (1, "again")])
    assert bool(told()) is is_committed(database, "fifty")
    assert driver.commits_by_itself(cursor.db)


def test_rows_of_a_raw_returning_are_served_and_the_write_is_committed(cursor: Any, told: Told, database: str) -> None:
    cursor.execute("INSERT INTO capture_tests_category (id, title) VALUES (7, 'seven'), (8, 'eight') RETURNING id, title")
    assert is_committed(database, "eight")
    assert told() == [CATEGORY]
    assert cursor.description[0][0] == "id"
    assert tuple(cursor.fetchone()) == (7, "seven")
    assert [tuple(row) for row in cursor] == [(8, "eight")]
    assert cursor.fetchone() is None
    cursor.execute("SELECT id FROM capture_tests_category ORDER BY id")
    assert [row[0] for row in cursor.fetchall()] == [1, 2, 7, 8]


def test_a_failing_write_leaves_the_connection_usable(cursor: Any, told: Told) -> None:
    with pytest.raises(DatabaseError):
        cursor.execute("INSERT INTO capture_tests_category (id, title) VALUES (1, 'x')")
    assert driver.commits_by_itself(cursor.db)
    assert told() == []
    Category.objects.using(cursor.db.alias).filter(pk=1).update(title="fine")
    assert told() == [{"category any", "category row:1"}]


def test_reads_and_untracked_tables_mark_nothing(cursor: Any, told: Told) -> None:
    for sql in (
        "SELECT * FROM capture_tests_category", "INSERT INTO capture_tests_log (text) VALUES ('x')", "DELETE FROM capture_tests_log",
        "CREATE INDEX a_name ON capture_tests_category (title)", "DROP INDEX a_name",
        "EXPLAIN UPDATE capture_tests_category SET title = 'x'", "CREATE TABLE scratch (id integer)", "DROP TABLE scratch",
    ):
        cursor.execute(sql)
        assert told() == [], sql


def test_definitions_of_a_tracked_table_mark_it(cursor: Any, told: Told) -> None:
    cursor.execute("ALTER TABLE capture_tests_category ADD COLUMN extra integer")
    cursor.execute("ALTER TABLE capture_tests_category DROP COLUMN extra")
    assert told() == [CATEGORY, CATEGORY]


def test_what_is_not_understood_marks_everything_and_says_so_once(cursor: Any, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    events.reset()
    for _ in range(2):
        with pytest.raises(DatabaseError):
            cursor.execute("FROBNICATE capture_tests_category")
    commits = told()
    assert all(tags > CATEGORY | ITEM for tags in commits)
    assert len(commits) == 2
    assert len([record for record in caplog.records if "FROBNICATE" in record.getMessage()]) == 1


def test_texts_that_differ_in_their_values_give_one_warning_that_shows_none(
    cursor: Any, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    events.reset()
    for secret in ("'s3cret-1'", "'s3cret-2'", "4711"):
        with pytest.raises(DatabaseError):
            cursor.execute(f"FROBNICATE capture_tests_category {'of everybody ' * 20} WHERE pin = {secret}")
    [said] = [record.getMessage() for record in caplog.records if "FROBNICATE" in record.getMessage()]
    assert "s3cret" not in said
    assert len(said) < 250
    assert len(told()) == 3


def test_a_transaction_in_sql_is_followed(cursor: Any, told: Told, database: str) -> None:
    cursor.execute("BEGIN")
    Category.objects.using(database).filter(pk=1).update(title="inside")
    cursor.execute("UPDATE capture_tests_category SET title = 'also' WHERE id = 2")
    assert told() == []
    cursor.execute("COMMIT")
    assert told() == [CATEGORY | {"category row:1"}]
    cursor.execute("BEGIN")
    Category.objects.using(database).filter(pk=1).update(title="gone")
    cursor.execute("ROLLBACK")
    Category.objects.using(database).filter(pk=2).update(title="kept")
    assert told() == [{"category any", "category row:2"}]


def test_a_commit_in_sql_inside_atomic(cursor: Any, told: Told, database: str) -> None:
    with transaction.atomic(using=database):
        Category.objects.using(database).filter(pk=1).update(title="early")
        cursor.execute("COMMIT")
        assert told() == [{"category any", "category row:1"}]
        if cursor.db.vendor == "sqlite":
            # Every further statement of the block is its own commit.
            Category.objects.using(database).filter(pk=2).update(title="own")
            assert told() == [{"category any", "category row:2"}]
            cursor.execute("BEGIN")


def test_flush_marks_what_it_empties(cursor: Any, told: Told, database: str) -> None:
    connection = connections[database]
    for sql in connection.ops.sql_flush(_style(), ["capture_tests_category", "capture_tests_item"], allow_cascade=False):
        if connection.vendor == "postgresql":
            sql = sql.replace("TRUNCATE ", "TRUNCATE capture_tests_item_labels, capture_tests_part, capture_tests_remark, ")
        cursor.execute(sql)
    tags = set().union(*told())
    assert tags >= CATEGORY | ITEM


def _style() -> Any:
    from django.core.management.color import no_style
    return no_style()


def test_raw_sql_in_a_transaction_waits_for_its_commit(cursor: Any, told: Told, database: str) -> None:
    with transaction.atomic(using=database):
        cursor.execute("DELETE FROM capture_tests_category WHERE id = 2")
        assert told() == []
    assert told() == [CATEGORY]


def test_executescript_commits_what_was_open(cursor: Any, told: Told, database: str) -> None:
    if cursor.db.vendor != "sqlite":
        pytest.skip("sqlite3's own")
    with transaction.atomic(using=database):
        Category.objects.using(database).filter(pk=1).update(title="open")
        cursor.executescript("UPDATE capture_tests_label SET title = 'x'; DELETE FROM capture_tests_item;")
        assert told() == [{"category any", "category row:1"} | ITEM]
        assert is_committed(database, "open")
        cursor.execute("BEGIN")


class TestPostgres:
    @pytest.fixture(autouse=True)
    def only_postgres(self, connection: Any) -> None:
        if connection.vendor != "postgresql":
            pytest.skip("PostgreSQL's own")

    @pytest.mark.parametrize("sql", [
        "WITH gone AS (DELETE FROM capture_tests_category WHERE id = 2 RETURNING *) SELECT * FROM gone",
        "EXPLAIN (ANALYZE, COSTS off) UPDATE capture_tests_category SET title = 'x'",
        "MERGE INTO capture_tests_category t USING (VALUES (1)) v (id) ON t.id = v.id WHEN MATCHED THEN UPDATE SET title = 'x'",
        "INSERT INTO public.capture_tests_category AS c (id, title) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET title = 'y'",
    ])
    def test_writes_of_postgresql(self, cursor: Any, told: Told, sql: str) -> None:
        cursor.execute(sql)
        assert told() == [CATEGORY]

    def test_copy_in_and_out(self, cursor: Any, told: Told, database: str) -> None:
        with cursor.copy("COPY capture_tests_category (id, title) FROM STDIN") as copy:
            copy.write_row((70, "copied"))
        assert told() == [CATEGORY]
        assert is_committed(database, "copied")
        with cursor.copy("COPY capture_tests_category TO STDOUT") as copy:
            assert b"copied" in b"".join(bytes(part) for part in copy)
        assert told() == []
        with CaptureQueriesContext(cursor.db), cursor.db.cursor() as logged, logged.copy("COPY capture_tests_category FROM STDIN") as copy:
            copy.write_row((71, "logged"))
        assert told() == [CATEGORY]

    def test_a_stream_commits_when_it_is_exhausted(self, cursor: Any, told: Told, database: str) -> None:
        rows = cursor.stream("UPDATE capture_tests_category SET title = 'streamed' RETURNING id")
        assert sorted(row[0] for row in rows) == [1, 2]
        assert told() == [CATEGORY]
        assert is_committed(database, "streamed")

    def test_a_function_that_may_write_marks_everything(self, cursor: Any, told: Told) -> None:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION capture_writes() RETURNS int LANGUAGE plpgsql VOLATILE AS "
            "$$ BEGIN UPDATE capture_tests_category SET title = 'f'; RETURN 1; END $$"
        )
        cursor.execute("CREATE OR REPLACE FUNCTION capture_reads() RETURNS int LANGUAGE sql STABLE AS $$ SELECT 1 $$")
        assert told() == []
        cursor.execute("SELECT capture_reads(), now(), count(*) FROM capture_tests_label")
        assert told() == []
        cursor.execute("SELECT capture_writes()")
        assert cursor.fetchone() == (1,)
        assert [tags > CATEGORY | ITEM for tags in told()] == [True]
        cursor.callproc("capture_writes")
        assert [tags > CATEGORY | ITEM for tags in told()] == [True]
        cursor.callproc("capture_reads")
        assert told() == []

    def test_a_do_block_marks_everything(self, cursor: Any, told: Told) -> None:
        cursor.execute("DO $$ BEGIN UPDATE capture_tests_category SET title = 'f'; END $$")
        assert [tags > CATEGORY | ITEM for tags in told()] == [True]

    def test_several_statements_in_one_text(self, cursor: Any, told: Told, database: str) -> None:
        cursor.execute("UPDATE capture_tests_category SET title = 'both'; DELETE FROM capture_tests_item")
        assert told() == [CATEGORY | ITEM]
        cursor.execute("BEGIN; UPDATE capture_tests_category SET title = 'self-made'; COMMIT")
        assert told() == [CATEGORY]
        assert is_committed(database, "self-made")
        assert driver.commits_by_itself(cursor.db)

    def test_what_cannot_run_in_a_transaction_still_runs(self, cursor: Any, told: Told) -> None:
        cursor.execute("VACUUM capture_tests_category")
        cursor.execute("CREATE INDEX CONCURRENTLY a_name ON capture_tests_category (title)")
        cursor.execute("DROP INDEX CONCURRENTLY a_name")
        assert told() == []

    def test_a_composed_statement(self, cursor: Any, told: Told) -> None:
        from psycopg import sql
        cursor.execute(sql.SQL("UPDATE {} SET title = {}").format(sql.Identifier("capture_tests_category"), sql.Literal("c")))
        cursor.execute(b"UPDATE capture_tests_category SET title = 'b'")
        assert told() == [CATEGORY, CATEGORY]


def test_rows_of_the_orm_are_right_beside_ours(cursor: Any, told: Told, database: str) -> None:
    item = Item.objects.using(database).create(sku="x", category_id=1)
    label = Label.objects.using(database).create(title="y")
    assert Item.objects.using(database).get(pk=item.pk).sku == "x"
    assert Label.objects.using(database).get(pk=label.pk).title == "y"
