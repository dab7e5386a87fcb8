"""
What the text of a SELECT says: the tables it names, and whether it answers alike each time.

The text is complete where a tree of expressions need not be: whatever an unknown expression compiles to, stands in it. It is read
generously: a table that is only mentioned is a dependency too many, never one too few.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable

from django.apps import apps

from cache_consistency.declare import tracked

_NAME = r'(?:"(?:[^"]|"")+"|`[^`]+`|[A-Za-z_][\w$]*)'
_STRING = re.compile(r"'(?:[^']|'')*'")
_IDENTIFIER = re.compile(r'(?:"((?:[^"]|"")+)"|`([^`]+)`|([A-Za-z_][\w$]*))(\s*\.)?')
_NOT_A_SOURCE = re.compile(r"\b(?:EXTRACT|TRIM|SUBSTRING|OVERLAY)\s*\(\s*[\w'\" ]*?\bFROM\b|\bDISTINCT\s+FROM\b", re.I)
_SOURCE = re.compile(rf"\b(?:FROM|JOIN)\s+(?:LATERAL\s+)?(\(?)\s*({_NAME}(?:\s*\.\s*{_NAME})*)\s*(\(?)", re.I)
_CTE = re.compile(
    rf"({_NAME})\s*(?:\([^()]*\)\s*)?AS\s*(?:NOT\s+MATERIALIZED\s*|MATERIALIZED\s*)?\(\s*(?:SELECT|VALUES|WITH|INSERT|UPDATE|DELETE)", re.I
)
_CALL = re.compile(r'(?<![\w"`.])([A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)?)\s*\(')
_VOLATILE = re.compile(
    r"\b(CURRENT_(?:TIMESTAMP|DATE|TIME|USER|ROLE|SCHEMA|CATALOG)|LOCALTIME(?:STAMP)?|SESSION_USER|SYSDATE|TABLESAMPLE|NEXTVAL)\b", re.I
)
_KEYWORDS = frozenset("""
    IN AND OR NOT AS ON EXISTS SELECT FROM WHERE WHEN THEN ELSE CASE END OVER FILTER BY VALUES ANY ALL SOME USING GROUP WITHIN DISTINCT
    UNION INTERSECT EXCEPT HAVING LIMIT OFFSET BETWEEN LIKE ILIKE IS PARTITION ORDER WITH MATERIALIZED COLLATE ESCAPE ROW ROWS RANGE
    ARRAY INTERVAL NUMERIC DECIMAL VARCHAR CHAR TIME TIMESTAMP LATERAL OF AT ZONE JOIN
""".split())
_DETERMINISTIC = frozenset("""
    COUNT SUM MIN MAX AVG STDDEV_POP STDDEV_SAMP VAR_POP VAR_SAMP STRING_AGG ARRAY_AGG JSONB_AGG JSON_AGG BOOL_AND BOOL_OR BIT_AND BIT_OR
    BIT_XOR ANY_VALUE CORR COVAR_POP COVAR_SAMP REGR_AVGX REGR_AVGY REGR_COUNT REGR_INTERCEPT REGR_R2 REGR_SLOPE REGR_SXX REGR_SXY REGR_SYY
    GROUP_CONCAT COALESCE NULLIF GREATEST LEAST CAST LOWER UPPER LENGTH CHAR_LENGTH CHARACTER_LENGTH LTRIM RTRIM TRIM BTRIM SUBSTRING
    SUBSTR
    REPLACE REVERSE REPEAT LPAD RPAD LEFT RIGHT CONCAT CONCAT_WS CHR ASCII ORD INSTR STRPOS POSITION MD5 SHA1 SHA224 SHA256 SHA384 SHA512
    ABS CEIL CEILING FLOOR ROUND TRUNC SIGN SQRT POWER POW MOD EXP LN LOG SIN COS TAN COT ASIN ACOS ATAN ATAN2 DEGREES RADIANS
    PI EXTRACT DATE_TRUNC JSON_EXTRACT JSON_TYPE JSON_QUOTE JSON_OBJECT JSON_ARRAY JSON_EACH JSON_VALID
    JSONB_BUILD_OBJECT JSONB_BUILD_ARRAY TO_JSONB TO_JSON
    JSON_ARRAY_LENGTH JSONB_ARRAY_LENGTH ARRAY_LENGTH CARDINALITY UNNEST ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE LAG LEAD
    FIRST_VALUE LAST_VALUE NTH_VALUE SIMILARITY WORD_SIMILARITY TO_TSVECTOR TO_TSQUERY PLAINTO_TSQUERY PHRASETO_TSQUERY WEBSEARCH_TO_TSQUERY
    TS_RANK TS_RANK_CD SETWEIGHT IIF IFNULL TYPEOF HEX LIKELY UNLIKELY MAKE_DATE ISEMPTY LOWER_INC UPPER_INC LOWER_INF
    UPPER_INF
""".split())


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """What the text of one statement names."""

    tables: frozenset[str]
    mentions: dict[str, int]
    """How often each table is named other than to qualify a column; twice or more: it is read more than once."""
    reason: str = ""
    """Why nothing can be promised about it, if so."""


@functools.lru_cache(maxsize=4096)
def scan_sql(sql: str, version: int) -> Scan:
    """
    Find tables and functions in the text of a SELECT.

    :param version: `tracked.version()`; what is cached by text ends with it.
    """
    text = _NOT_A_SOURCE.sub("", _STRING.sub("''", sql))
    known, mentions = _known_tables(version), dict[str, int]()
    tables = set()
    for name, qualifies in _identifiers(text):
        table = known.get(name.lower())
        if table is not None:
            tables.add(table)
            mentions[table] = mentions.get(table, 0) + (not qualifies)
    return Scan(frozenset(tables), mentions, _unknown_source(text, known) or _nondeterministic(text))


def _identifiers(text: str) -> Iterable[tuple[str, bool]]:
    """Yield each name, and whether it qualifies another (``"shop_product"."id"``)."""
    for quoted, ticked, bare, dot in _IDENTIFIER.findall(text):
        yield quoted.replace('""', '"') or ticked or bare, bool(dot)


@functools.lru_cache(maxsize=4)
def _known_tables(version: int) -> dict[str, str]:
    """Return every table that an installed model or the tracked list describes, by its name in lower case."""
    models = apps.get_models(include_auto_created=True)
    return {table.lower(): table for table in (*(model._meta.db_table for model in models), *tracked.tables())}


def _unknown_source(text: str, known: dict[str, str]) -> str:
    ours = {name for match in _CTE.findall(text) for name, _ in _identifiers(match)}
    for opened, source, called in _SOURCE.findall(text):
        name = [name for name, _ in _identifiers(source)][-1]
        if called or name in ours or name.lower() in known or (opened and name.upper() in {"SELECT", "VALUES", "WITH"}):
            continue                                                # a function is judged by its name, below
        return f"it reads {name!r}, which no installed model describes"
    return ""


def _nondeterministic(text: str) -> str:
    word = _VOLATILE.search(text)
    if word:
        return f"{word[1].upper()} gives another answer each time"
    for name in _CALL.findall(text):
        upper = name.upper()
        if upper not in _DETERMINISTIC and upper not in _KEYWORDS and not (upper.startswith("DJANGO_") and upper != "DJANGO_RANDOM"):
            return f"the function {name}() is not known to be deterministic"
    return ""
