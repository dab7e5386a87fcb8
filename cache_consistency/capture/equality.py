"""
Where the database's equality is one that we can name: only there may a tag name a value.

``col`` and ``row`` tags file a row under the text of a value. That is sound if two values that the database calls equal always have one
text. Integers, UUIDs, dates, booleans and decimals have; text has under a deterministic, case-sensitive collation (PostgreSQL's default and
its ICU and C collations; SQLite's BINARY), not under citext, NOCASE or anything of MySQL's. Floats, timestamps and JSON have not.

Both sides come here with values of the database's own form: a reader with what the field prepared, a writer with what RETURNING said. The
two differ (SQLite stores a UUID as text and a decimal as a float), so each is brought to one Python type first.
"""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field

from cache_consistency.protocol.tags import InexactValue, digest, value_text

_KINDS = {
    "AutoField": "integer", "BigAutoField": "integer", "SmallAutoField": "integer",
    "IntegerField": "integer", "BigIntegerField": "integer", "SmallIntegerField": "integer",
    "PositiveIntegerField": "integer", "PositiveBigIntegerField": "integer", "PositiveSmallIntegerField": "integer",
    "BooleanField": "boolean", "UUIDField": "uuid", "DateField": "date", "DecimalField": "decimal",
    "CharField": "text", "TextField": "text", "SlugField": "text", "FilePathField": "text", "FileField": "text",
}
_COLUMN_TYPES = {
    "integer": re.compile(r"(big|small)?(integer|int|serial)\b.*|(tiny|medium)int\b.*|number\(\d+\)", re.IGNORECASE),
    "boolean": re.compile(r"bool(ean)?|tinyint\(1\)|number\(1\)", re.IGNORECASE),
    "uuid": re.compile(r"uuid|char\(32\)|varchar2?\(32\)", re.IGNORECASE),
    "date": re.compile(r"date", re.IGNORECASE),
    "decimal": re.compile(r"(numeric|decimal)(\(.*\))?", re.IGNORECASE),
    "text": re.compile(r"(varchar|character varying)(\(\d+\))?|text", re.IGNORECASE),       # char(n) ignores trailing blanks
}
_DETERMINISTIC = re.compile(r"C|POSIX|ucs_basic|C\.utf-?8|default|.*-x-icu", re.IGNORECASE)
_SQLITE_DIGITS = 15
"""Decimal digits that survive in SQLite, which keeps decimals as floats."""

_exact: weakref.WeakKeyDictionary[BaseDatabaseWrapper, dict[Field[Any, Any], str]] = weakref.WeakKeyDictionary()


def is_exact(connection: BaseDatabaseWrapper, field: Field[Any, Any]) -> bool:
    """Return whether ``row`` and ``col`` tags may name values of ``field`` on this database."""
    return bool(_kind(connection, field))


def field_text(connection: BaseDatabaseWrapper, field: Field[Any, Any], value: object) -> str:
    """
    Return the one text of everything that equals ``value`` in the column of ``field``.

    :param value: as prepared for the database, or as the driver returned it; None is a value ("null").
    :raises InexactValue: the column's equality is not exact, or the value is none that such a column can equal.
    """
    return text_maker(connection, field)(value)


def text_maker(connection: BaseDatabaseWrapper, field: Field[Any, Any]) -> Callable[[object], str]:
    """
    Return `field_text` of one field, for whoever needs it often.

    :raises InexactValue: the column's equality is not exact.
    """
    kind = _kind(connection, field)
    if not kind:
        raise InexactValue(f"{field} has no exact equality on {connection.vendor}")
    return _MAKERS[kind]


def joined_text(texts: Sequence[str]) -> str:
    """Return the text of a key from those of its columns."""
    return texts[0] if len(texts) == 1 else "t" + digest("\0".join(texts).encode())


def _kind(connection: BaseDatabaseWrapper, field: Field[Any, Any]) -> str:
    """Return how values of the column are brought to one type; "" where equality is not exact."""
    known = _exact.get(connection)
    if known is None:
        known = _exact[connection] = {}
    kind = known.get(field)
    if kind is None:
        kind = known[field] = _find_kind(connection, field)
    return kind


def _find_kind(connection: BaseDatabaseWrapper, field: Field[Any, Any]) -> str:
    column = _column_field(field)
    kind = _KINDS.get(column.get_internal_type(), "")
    db_type = (field.db_type(connection) or "") if kind else ""
    if not kind or not _COLUMN_TYPES[kind].fullmatch(db_type) or _speaks_sql_of_its_own(column):
        return ""
    if kind == "text" and not _text_is_exact(connection, column):
        return ""
    if kind == "decimal" and not _decimal_is_exact(connection, column):
        return ""
    return kind


def _column_field(field: Field[Any, Any]) -> Field[Any, Any]:
    """Return the field that says what the column holds: the far end of foreign keys, the output of a generated column."""
    seen: Any = field
    while True:
        if getattr(seen, "generated", False):
            seen = seen.output_field
        elif getattr(seen, "remote_field", None) is not None:
            seen = seen.target_field
        else:
            return seen  # type: ignore[no-any-return]


def _speaks_sql_of_its_own(field: Any) -> bool:
    """Return whether the field changes its value or its comparison on the way to the column: encrypted columns, case-folding ``exact``."""
    if hasattr(field, "get_placeholder") or hasattr(field, "get_placeholder_sql"):
        return True
    if not type(field).get_db_prep_value.__module__.startswith("django."):
        return True                                                   # a reader's value is not yet what the database compares
    exact = field.get_lookup("exact")
    return exact is None or not exact.__module__.startswith("django.")


def _text_is_exact(connection: BaseDatabaseWrapper, field: Any) -> bool:
    collation = getattr(field, "db_collation", None)
    if connection.vendor == "postgresql":
        return not collation or _DETERMINISTIC.fullmatch(collation) is not None
    if connection.vendor == "sqlite":
        return not collation or collation.upper() == "BINARY"
    return False


def _decimal_is_exact(connection: BaseDatabaseWrapper, field: Any) -> bool:
    if connection.vendor == "sqlite":
        return field.max_digits is not None and field.max_digits <= _SQLITE_DIGITS
    return True


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise InexactValue(f"{type(value).__name__} in an integer column")
    return int(value)


def _boolean(value: object) -> int:
    if not isinstance(value, int):
        raise InexactValue(f"{type(value).__name__} in a boolean column")
    return int(value)


def _uuid(value: object) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return uuid.UUID(int=value.int)
    try:
        return uuid.UUID(str(value))
    except ValueError as error:
        raise InexactValue("not a UUID") from error


def _date(value: object) -> datetime.date:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.date(value.year, value.month, value.day)
    if isinstance(value, str):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError as error:
            raise InexactValue("not a date") from error
    raise InexactValue(f"{type(value).__name__} in a date column")


def _decimal(value: object) -> decimal.Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, decimal.Decimal)):
        raise InexactValue(f"{type(value).__name__} in a decimal column")
    try:
        return decimal.Decimal(repr(value) if isinstance(value, float) else str(value))   # repr: the shortest that is the same float
    except decimal.InvalidOperation as error:
        raise InexactValue("not a number") from error


def _text(value: object) -> str | bytes:
    if isinstance(value, (str, bytes)):
        return str(value) if isinstance(value, str) else bytes(value)
    raise InexactValue(f"{type(value).__name__} in a text column")


_CANONICAL: dict[str, Callable[[object], object]] = {
    "integer": _integer, "boolean": _boolean, "uuid": _uuid, "date": _date, "decimal": _decimal, "text": _text,
}


def _maker(canonical: Callable[[object], object]) -> Callable[[object], str]:
    def text(value: object) -> str:
        return "null" if value is None else value_text(canonical(value))
    return text


_MAKERS = {kind: _maker(canonical) for kind, canonical in _CANONICAL.items()}
