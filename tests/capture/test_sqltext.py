"""What is read from the text of a SELECT."""

from __future__ import annotations

import pytest

from cache_consistency.capture.sqltext import scan_sql
from cache_consistency.declare import tracked

ITEM, PART = "capture_tests_item", "capture_tests_part"


def scan(sql: str, vendor: str = "postgresql") -> tuple[set[str], str]:
    found = scan_sql(sql, vendor, tracked.version())
    return set(found.tables), found.reason


@pytest.mark.parametrize(
    "sql",
    [
        f'SELECT "{ITEM}"."id" FROM "{ITEM}"',
        f"select id from {ITEM.upper()} where sku = %s",
        f"SELECT `id` FROM `{ITEM}`",
        f'SELECT 1 FROM ONLY "{ITEM}" AS "x"("id")',
        f'SELECT EXTRACT(YEAR FROM "x") FROM "{ITEM}"',
        f"SELECT TRIM(BOTH ' from nowhere' FROM sku) FROM {ITEM}",
        f"SELECT SUBSTRING(sku FROM 1 FOR 2) FROM {ITEM}",
        f"SELECT sku IS DISTINCT FROM other FROM {ITEM}",
        f"SELECT sku IS NOT DISTINCT FROM nobody FROM {ITEM}",
        f"SELECT CAST(x AS varchar(10)), x::numeric(5, 2) FROM {ITEM}",
        f"SELECT 'FROM nobody' FROM {ITEM} -- FROM nobody",
        f"SELECT 'it''s FROM nobody', E'it\\'s FROM nobody' FROM {ITEM} /* FROM nobody */",
        f"SELECT $$ FROM nobody $$, $x$ random() $x$ FROM {ITEM}",
        f"WITH a AS (SELECT 1 FROM {ITEM}), b (x) AS NOT MATERIALIZED (SELECT 2 FROM a) SELECT * FROM b, a",
        f"WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT x + 1 FROM a) SELECT * FROM {ITEM} JOIN a ON a.x = id",
        f"SELECT * FROM (SELECT * FROM {ITEM}) sub WHERE EXISTS(SELECT 1)",
        f"SELECT * FROM ({ITEM} x CROSS JOIN {ITEM} y)",
        f"SELECT * FROM {ITEM}, LATERAL (SELECT 1) z",
        f"SELECT COUNT(*) FILTER (WHERE x IN (%s, %s)) OVER (PARTITION BY y) FROM {ITEM}",
        f"(SELECT id FROM {ITEM}) UNION (SELECT id FROM {ITEM})",
        f"SELECT * FROM {ITEM} x, unnest(x.list) u",
        f"SELECT django_date_extract('year', x) FROM {ITEM}",
        f"SELECT {ITEM}.user FROM {ITEM}",
        f'SELECT "now", "user", "random" FROM {ITEM}',
    ],
)
def test_tables_are_found_and_nothing_else_is_taken_for_one(sql: str) -> None:
    assert scan(sql) == ({ITEM}, "")


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT * FROM {ITEM}, nobody",
        f"SELECT * FROM {ITEM} x, nobody y WHERE 1 = 1",
        f"SELECT * FROM nobody, {ITEM}",
        f"SELECT * FROM {ITEM} JOIN nobody ON 1 = 1",
        f"SELECT * FROM {ITEM} LEFT OUTER JOIN LATERAL nobody ON TRUE",
        f"SELECT * FROM ({ITEM} CROSS JOIN nobody)",
        f"SELECT * FROM ({ITEM}, nobody)",
        f"SELECT * FROM {ITEM} JOIN {PART} ON f(1, 2), nobody",
        f"SELECT (SELECT 1 FROM nobody) FROM {ITEM}",
        f"SELECT EXTRACT(YEAR FROM (SELECT x FROM nobody)) FROM {ITEM}",
        f"SELECT TRIM((SELECT x FROM nobody)) FROM {ITEM}",
        f'SELECT 1 FROM {ITEM}, "public"."nobody"',
        f"SELECT DISTINCT x, y FROM nobody, {ITEM}",
        f"SELECT 1 FROM {ITEM} UNION SELECT 1 FROM nobody",
        f"SELECT '/*' FROM nobody, {ITEM} --*/",
    ],
)
def test_a_source_that_no_model_describes_is_a_reason(sql: str) -> None:
    assert "'nobody'" in scan(sql)[1] or "f()" in scan(sql)[1]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT random()", "random"),
        ("SELECT now()", "now"),
        ("SELECT RANDOM ( )", "random"),
        ("SELECT nextval('x')", "nextval"),
        ("SELECT ARRAY[random()]", "random"),
        ('SELECT "random"()', "random"),
        ("SELECT pg_catalog.random()", "random"),
        ("SELECT * FROM generate_series(1, 2)", "generate_series"),
        ("SELECT CURRENT_DATE", "CURRENT_DATE"),
        ("SELECT localtime", "LOCALTIME"),
        ("SELECT user", "USER"),
        ("SELECT 'now'::timestamp", "moment"),
        ("SELECT ' Today '::date", "moment"),
        (f"WITH x AS (DELETE FROM {ITEM} RETURNING *) SELECT 1", "may write"),
        ("SELECT 1 INTO x", "may write"),
        (f"SELECT 1 FROM {ITEM} TABLESAMPLE SYSTEM (1)", "TABLESAMPLE"),
        ("SELECT date('x')", "date"),
    ],
)
def test_what_may_differ_each_time_is_a_reason(sql: str, reason: str) -> None:
    found = scan(sql)[1]
    assert reason.lower() in found.lower()


def test_a_table_is_counted_each_time_it_is_read() -> None:
    mentions = scan_sql(f'SELECT "{ITEM}"."id" FROM "{ITEM}" WHERE "{ITEM}"."id" = 1', "postgresql", tracked.version()).mentions
    assert mentions == {ITEM: 1}
    twice = scan_sql(f"SELECT 1 FROM {ITEM} a, {ITEM} b", "postgresql", tracked.version()).mentions
    assert twice == {ITEM: 2}


def test_a_name_in_another_case_is_the_same_table() -> None:
    assert scan(f'SELECT 1 FROM "{ITEM.upper()}"') == ({ITEM}, "")
