"""Reading SQL, without a database."""

import pytest

from cache_consistency.capture.rawsql import Control, Statement, classify
from cache_consistency.capture.tokens import statements, tokens


@pytest.mark.parametrize(("sql", "targets"), [
    ("INSERT INTO a (x) VALUES (1)", {"a"}),
    ("insert or ignore into [a] values (1)", {"a"}),
    ("REPLACE INTO `a` VALUES (1)", {"a"}),
    ('UPDATE ONLY "s"."A" AS q SET x = 1 FROM b WHERE q.id = b.id', {"a"}),
    ("DELETE FROM ONLY a USING b", {"a"}),
    ('UPDATE ONLY ("s"."A") SET x = 1', {"a"}),
    ("DELETE FROM ONLY (a) WHERE x = 1", {"a"}),
    ("MERGE INTO ONLY a USING b ON a.x = b.x WHEN MATCHED THEN DELETE", {"a"}),
    ("EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW a", {"materialized", "view", "a"}),
    ("WITH x AS (INSERT INTO a VALUES (1) RETURNING *), y AS (DELETE FROM b) SELECT * FROM x FOR UPDATE", {"a", "b"}),
    ("TRUNCATE TABLE a, s.b RESTART IDENTITY", {"table", "a", "s", "b", "restart", "identity"}),
    ("COPY a (x) FROM STDIN", {"a"}),
    ("MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (x) VALUES (1)", {"a"}),
    ("EXPLAIN ANALYZE DELETE FROM a", {"a"}),
    ("SELECT 1; DELETE FROM a; UPDATE b SET x = ';'", {"a", "b"}),
    ("DELETE FROM a WHERE x = $q$ DELETE FROM b $q$ AND y = E'it\\'s' AND z = 'it''s'", {"a"}),
    ("REFRESH MATERIALIZED VIEW a", {"materialized", "view", "a"}),
])
def test_what_is_written(sql: str, targets: set[str]) -> None:
    found = classify(sql, "postgresql")
    assert found.targets == targets
    assert not found.everything


@pytest.mark.parametrize("sql", [
    "", " ; -- nothing", "SELECT * FROM a FOR NO KEY UPDATE", "(SELECT 1) UNION (SELECT 2)", "SELECT 'DELETE FROM a'", "VALUES (1)",
    "COPY a TO STDOUT", "EXPLAIN DELETE FROM a", "SAVEPOINT x", "ROLLBACK TO x", "SET search_path = a", "ANALYZE a",
    "PRAGMA foreign_keys = ON", "CREATE INDEX CONCURRENTLY i ON a (x)", "DROP SEQUENCE a", "ROLLBACK PREPARED 'x'", "LOCK TABLE a",
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET x = 1; DELETE FROM c; END", "PREPARE p AS DELETE FROM a",
    "GRANT DELETE ON a TO b",
])
def test_what_writes_nothing(sql: str) -> None:
    assert classify(sql, "sqlite").idle


@pytest.mark.parametrize("sql", ["CALL p()", "W a", "DO $$ BEGIN END $$", "EXECUTE p", "COMMIT PREPARED 'x'", "TRUNCATE a CASCADE", "%s"])
def test_what_may_write_everything(sql: str) -> None:
    assert classify(sql, "postgresql").everything


@pytest.mark.parametrize("sql", [
    "UPDATE $1 SET x = 1", "DELETE FROM %s", "INSERT INTO (SELECT 1) VALUES (1)", "COPY %s FROM STDIN",
    'UPDATE U&"shop\\005fproduct" SET x = 1', "DELETE FROM s.u&\"a\"", 'TRUNCATE U&"a"', 'ALTER TABLE U&"a" ADD x int',
    'WITH t AS (DELETE FROM U&"a" RETURNING x) SELECT x FROM t', 'SELECT U&"f"()',
])
def test_a_write_whose_table_cannot_be_read_is_a_write_to_everything(sql: str) -> None:
    found = classify(sql, "postgresql")
    assert found.everything
    assert not found.understood


@pytest.mark.parametrize("sql", [
    "SELECT a.update, x FROM a", "SELECT update, x FROM a", "SELECT x, update FROM a", "SELECT a.delete FROM a",
])
def test_a_column_named_like_a_verb_writes_nothing_that_is_not_understood(sql: str) -> None:
    assert not classify(sql, "postgresql").everything


def test_what_looks_like_a_coded_name_is_an_operation_on_sqlite() -> None:
    assert classify('UPDATE a SET x = u&"y"', "sqlite").targets == {"a"}


@pytest.mark.parametrize("sql", [
    "DECLARE c CURSOR WITH HOLD FOR SELECT f()", "CREATE TABLE x AS SELECT f()", "CREATE MATERIALIZED VIEW x AS SELECT f(1)",
    "CREATE TABLE x AS WITH t AS (SELECT f()) SELECT * FROM t", "ALTER TABLE x ADD COLUMN y int DEFAULT f()",
    "ALTER TABLE x ALTER COLUMN y TYPE int USING f(y)", "EXPLAIN ANALYZE VALUES (f())",
])
def test_functions_are_found_wherever_a_statement_calls_them(sql: str) -> None:
    assert "f" in classify(sql, "postgresql").functions


def test_a_table_made_of_what_was_prepared_may_do_anything() -> None:
    assert classify("CREATE TABLE x AS EXECUTE p", "postgresql").everything


@pytest.mark.parametrize(("sql", "controls"), [
    ("BEGIN", [Control.BEGIN]), ("start transaction read only", [Control.BEGIN]), ("COMMIT WORK", [Control.COMMIT]),
    ("END", [Control.COMMIT]),
    ("COMMIT AND CHAIN", [Control.COMMIT, Control.BEGIN]), ("COMMIT AND NO CHAIN", [Control.COMMIT]), ("ABORT", [Control.ROLLBACK]),
    ("RELEASE x", []), ("ROLLBACK", [Control.ROLLBACK]), ("PREPARE TRANSACTION 'x'", [Control.ROLLBACK]),
    ("BEGIN; DELETE FROM a; COMMIT", [Control.BEGIN, Control.COMMIT]),
])
def test_what_begins_and_ends_transactions(sql: str, controls: list[Control]) -> None:
    assert list(classify(sql, "postgresql").controls) == controls


def test_functions_are_named_on_postgresql_only() -> None:
    sql = 'SELECT f(1), "G"(2), count(*) FROM a WHERE x IN (1, 2) AND lower(y) = h.k()'
    assert classify(sql, "postgresql").functions == {"f", "g", "k"}
    assert classify(sql, "sqlite") == Statement()


def test_definitions_mention_tables() -> None:
    assert "a" in classify('ALTER TABLE "new__a" RENAME TO "a"', "sqlite").mentions
    assert classify("DROP TABLE a CASCADE", "postgresql").deletes
    assert classify("CREATE OR REPLACE FUNCTION f() RETURNS int AS $$ DELETE FROM a; $$", "postgresql").defines_function


def test_several_tables_of_mysql() -> None:
    assert {"a", "b"} <= classify("UPDATE a JOIN b ON a.x = b.x SET a.y = 1, b.y = 2", "mysql").targets
    assert {"a", "b"} <= classify("DELETE a, b FROM a JOIN b", "mysql").targets
    assert classify(r"DELETE FROM a WHERE x = '\' DELETE FROM b'", "mysql").targets == {"a", "where", "x", "from", "delete"}


def test_a_text_that_never_ends_is_read_to_its_end() -> None:
    for open_ended in ("SELECT 'DELETE FROM a", 'SELECT "x; DELETE', "SELECT /* DELETE", "SELECT $q$ DELETE", "SELECT e'\\' DELETE"):
        assert len(statements(open_ended, vendor="postgresql")) == 1
        assert [token.text for token in tokens(open_ended, vendor="postgresql") if token.kind == "word"] == ["SELECT"]
