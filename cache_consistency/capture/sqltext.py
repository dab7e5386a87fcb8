"""
What the text of a SELECT says: the tables it names, and whether it answers alike each time.

The text is complete where a tree of expressions need not be: whatever an unknown expression compiles to, stands in it. It is read
generously: a table that is only mentioned is a dependency too many, never one too few; a source that no model describes, a function that
is not known, a value that the server makes anew each time are reasons not to cache. No grammar is needed for that, only words, and in
which brackets they stand.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Collection, Sequence

from django.apps import apps

from cache_consistency.capture.tokens import Token, names_of_table, tokens
from cache_consistency.declare import tracked

_KEYWORDS = frozenset(
    """
    IN AND OR NOT AS ON EXISTS SELECT FROM WHERE WHEN THEN ELSE CASE END OVER FILTER BY VALUES ANY ALL SOME USING GROUP WITHIN DISTINCT
    UNION INTERSECT EXCEPT HAVING LIMIT OFFSET BETWEEN LIKE ILIKE IS PARTITION ORDER WITH MATERIALIZED COLLATE ESCAPE ROW ROWS RANGE
    ARRAY INTERVAL NUMERIC DECIMAL VARCHAR VARYING CHAR TIME TIMESTAMP LATERAL OF AT ZONE JOIN
    """.split()
)
"""Words that may stand before a bracket and call nothing."""
_DETERMINISTIC = frozenset(
    """
    COUNT SUM MIN MAX AVG STDDEV_POP STDDEV_SAMP VAR_POP VAR_SAMP STRING_AGG ARRAY_AGG JSONB_AGG JSON_AGG BOOL_AND BOOL_OR BIT_AND BIT_OR
    BIT_XOR ANY_VALUE CORR COVAR_POP COVAR_SAMP REGR_AVGX REGR_AVGY REGR_COUNT REGR_INTERCEPT REGR_R2 REGR_SLOPE REGR_SXX REGR_SXY REGR_SYY
    GROUP_CONCAT COALESCE NULLIF GREATEST LEAST CAST LOWER UPPER LENGTH CHAR_LENGTH CHARACTER_LENGTH LTRIM RTRIM TRIM BTRIM SUBSTRING
    SUBSTR REPLACE REVERSE REPEAT LPAD RPAD LEFT RIGHT CONCAT CONCAT_WS CHR ASCII ORD INSTR STRPOS POSITION MD5 SHA1 SHA224 SHA256 SHA384
    SHA512 ABS CEIL CEILING FLOOR ROUND TRUNC SIGN SQRT POWER POW MOD EXP LN LOG SIN COS TAN COT ASIN ACOS ATAN ATAN2 DEGREES RADIANS
    PI EXTRACT DATE_TRUNC JSON_EXTRACT JSON_TYPE JSON_QUOTE JSON_OBJECT JSON_ARRAY JSON_EACH JSON_VALID JSONB_BUILD_OBJECT
    JSONB_BUILD_ARRAY TO_JSONB TO_JSON JSON_ARRAY_LENGTH JSONB_ARRAY_LENGTH ARRAY_LENGTH CARDINALITY UNNEST ROW_NUMBER RANK DENSE_RANK
    PERCENT_RANK CUME_DIST NTILE LAG LEAD FIRST_VALUE LAST_VALUE NTH_VALUE SIMILARITY WORD_SIMILARITY TO_TSVECTOR TO_TSQUERY
    PLAINTO_TSQUERY PHRASETO_TSQUERY WEBSEARCH_TO_TSQUERY TS_RANK TS_RANK_CD SETWEIGHT IIF IFNULL TYPEOF HEX LIKELY UNLIKELY MAKE_DATE
    ISEMPTY LOWER_INC UPPER_INC LOWER_INF UPPER_INF
    """.split()
)
_DJANGOS_OWN = "DJANGO_"
"""Functions that Django gives to SQLite: of dates, patterns and numbers, all deterministic."""
_VOLATILE = frozenset(
    """
    CURRENT_TIMESTAMP CURRENT_DATE CURRENT_TIME CURRENT_USER CURRENT_ROLE CURRENT_SCHEMA CURRENT_CATALOG LOCALTIME LOCALTIMESTAMP
    SESSION_USER USER SYSDATE TABLESAMPLE
    """.split()
)
_TIMES = re.compile(r"'\s*(now|today|tomorrow|yesterday|allballs)\s*'", re.IGNORECASE)
"""Texts that PostgreSQL reads as a moment when they are cast to a time."""
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "INTO"})
_ENDS_SOURCES = frozenset("WHERE GROUP ORDER HAVING WINDOW LIMIT OFFSET FETCH FOR UNION INTERSECT EXCEPT SELECT VALUES WITH".split())
_FROM_INSIDE = frozenset({"EXTRACT", "TRIM", "SUBSTRING", "OVERLAY"})
"""Functions with FROM among their arguments."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """What the text of one statement names."""

    tables: frozenset[str]
    mentions: dict[str, int]
    """How often each table is named other than to qualify a column; twice or more: it is read more than once."""
    reason: str = ""
    """Why nothing can be promised about it, if so."""


_LONG = 10_000
"""Characters; longer texts are not remembered, for a few thousand of them would fill the memory."""


def scan_sql(sql: str, vendor: str, version: int) -> Scan:
    """
    Find tables and functions in the text of a SELECT.

    :param version: `tracked.version()`; what is cached by text ends with it.
    """
    return _scan(sql, vendor, version) if len(sql) <= _LONG else _scan.__wrapped__(sql, vendor, version)


@functools.lru_cache(maxsize=2048)
def _scan(sql: str, vendor: str, version: int) -> Scan:
    words, known = list(tokens(sql, vendor=vendor)), _known_tables(version)
    mentions: dict[str, int] = {}
    for token, after in zip(words, [*words[1:], _NOTHING], strict=True):
        for table in known.get(token.name, ()) if token.kind in _NAMES else ():
            mentions[table] = mentions.get(table, 0) + (after != _DOT)
    headers = _common_tables(words)
    known_here = {*known, *(words[place].name for place in headers)}
    return Scan(frozenset(mentions), mentions, _unknown_source(words, known_here) or _nondeterministic(words, headers, sql))


@functools.lru_cache(maxsize=4)
def _known_tables(version: int) -> dict[str, list[str]]:
    """Return every table that an installed model or the tracked list describes, by each name that SQL may use for it."""
    models = apps.get_models(include_auto_created=True)
    found: dict[str, list[str]] = {}
    for table in dict.fromkeys((*(model._meta.db_table for model in models), *tracked.tables())):
        for name in names_of_table(table):
            found.setdefault(name, []).append(table)
    return found


_NAMES = frozenset({"word", "name"})
_NOTHING, _DOT, _COMMA, _OPEN, _CLOSE = (Token("sign", sign) for sign in ("", ".", ",", "(", ")"))


def _keyword(token: Token) -> str:
    """Return a word as it stands in the grammar; "" for what is quoted, or no word."""
    return token.text if token.kind == "word" else ""


# sources


class _Bracket:
    """One pair of brackets, or the whole text: whether a source is expected where we stand in it."""

    __slots__ = ("call", "expects", "in_sources", "selects")

    def __init__(self, call: str = "", *, expects: bool = False) -> None:
        self.call = call
        self.expects = self.in_sources = expects
        self.selects = False

    def meet(self, keyword: str, before: str) -> bool:
        """Go past one word; return whether it was one of the grammar's, which names no source."""
        if keyword == "FROM":
            if before != "DISTINCT" and (self.selects or self.call not in _FROM_INSIDE):            # IS DISTINCT FROM compares
                self.expects = self.in_sources = True
        elif keyword == "JOIN":
            self.expects = True
        elif keyword in _ENDS_SOURCES:
            self.expects = self.in_sources = False
            self.selects = self.selects or keyword == "SELECT"
        else:
            return keyword in {"LATERAL", "ONLY"}
        return True


def _unknown_source(words: Sequence[Token], known: Collection[str]) -> str:
    """Name a source (after FROM, JOIN, or a comma among sources) that is no table of a model, no CTE and no function."""
    inside, before = [_Bracket()], _NOTHING
    for token, after in zip(words, [*words[1:], _NOTHING], strict=True):
        here = inside[-1]
        if token == _OPEN:
            inside.append(_Bracket(_keyword(before), expects=here.expects))
            here.expects = False
        elif token == _CLOSE:
            inside = inside[:-1] or [_Bracket()]
        elif token == _COMMA:
            here.expects = here.in_sources
        elif token.kind in _NAMES and not here.meet(_keyword(token), _keyword(before)) and here.expects and after != _DOT:
            here.expects = False
            if after != _OPEN and token.name not in known:
                return f"it reads {token.name!r}, which no installed model describes"
        before = token
    return ""


def _common_tables(words: Sequence[Token]) -> frozenset[int]:
    """Return the places of the names that ``WITH name [(columns)] AS [[NOT] MATERIALIZED] (…)`` gives."""
    found = set()
    for index, token in enumerate(words):
        after = next((t for t in words[index + 1 :] if _keyword(t) not in {"NOT", "MATERIALIZED"}), _NOTHING)
        if _keyword(token) == "AS" and index and after == _OPEN:
            place = index - 1
            if words[place] == _CLOSE:
                place = max((i for i in range(place) if words[i] == _OPEN), default=1) - 1
            found.add(place)
    return frozenset(found)


# functions


def _nondeterministic(words: Sequence[Token], headers: Collection[int], sql: str) -> str:
    """Say what may give another answer each time, or write."""
    moment = _TIMES.search(sql)
    if moment:
        return f"{moment[0]} may be read as a moment"
    for place, (before, token, after) in enumerate(zip([_NOTHING, *words], words, [*words[1:], _NOTHING], strict=False)):
        word, qualified = _keyword(token), _DOT in (before, after)
        if word in _VOLATILE and not qualified:
            return f"{word} gives another answer each time"
        if word in _WRITES and not qualified:
            return f"it may write: {word}"
        if token.kind in _NAMES and after == _OPEN and place not in headers and not _is_harmless(token, before):
            return f"the function {token.name}() is not known to be deterministic"
        if token.kind == "name" and "(" in token.text:
            return f"{token.text!r} is not understood"              # the brackets of an array, or a strange name
    return ""


def _is_harmless(token: Token, before: Token) -> bool:
    """Return whether the name before a bracket calls nothing, or something that answers alike each time."""
    if before == _DOT:
        return False                                                # of somebody's schema
    if token.kind == "name":
        return _keyword(before) == "AS"                             # an alias with its columns
    return token.text in _DETERMINISTIC or token.text in _KEYWORDS or token.text.startswith(_DJANGOS_OWN)
