"""
Names of tags: what a cached entry depends on, and what a write touches.

Five kinds for each table. A write that knows its rows marks ``row`` + ``col`` (old and new values of every lookup) + ``any``; an insert
whose pk is not known at MARK adds ``new``; a write whose rows cannot be enumerated marks ``bulk`` + ``any``. A precise read depends on
``bulk`` and ``row`` or ``col`` (and on ``new``, where a pk that was asked for is missing), every other read on ``any``. So every write
shares a tag with every read that it can change.

A tag is the key of one Redis string, ASCII only, so that a command can be packed without encoding each part.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import re
import uuid
from collections.abc import Callable
from hashlib import blake2b
from typing import cast

Tag = str
"""``<namespace>:t:<database>[.<vary>].<table>:<kind>[:<value>]``"""

_PLAIN = re.compile(r"[A-Za-z0-9_$-]{1,80}")


class InexactValue(TypeError):
    """
    A value for which the text of equality is not known.

    A reader who meets it depends on ``any``; a writer who meets it in a column that has ``col`` tags marks ``bulk``: the same value may
    have had a text for the reader.
    """


def digest(data: bytes) -> str:
    """Return 128 bits of ``data`` as 32 hexadecimal digits."""
    return blake2b(data, digest_size=16).hexdigest()


def name_text(name: str) -> str:
    """Return ``name`` if it is safe inside a key, else a hash of it (tables may be called anything)."""
    return name if _PLAIN.fullmatch(name) else "~" + digest(name.encode())


def _decimal_text(value: decimal.Decimal) -> str:
    """Return one text for 1.0 and 1.00, and for 0 and -0. No arithmetic: that would round to whatever context a thread has set."""
    if not value.is_finite():
        raise InexactValue(f"{value} equals nothing")
    sign, digits, exponent = value.as_tuple()
    written = "".join(map(str, digits))
    significant = written.rstrip("0")
    if not significant:
        return "0"
    return f"{'-' * sign}{significant}e{cast('int', exponent) + len(written) - len(significant)}"


_TEXT: dict[type, Callable[..., str]] = {
    int: int.__repr__,
    bool: lambda value: str(int(value)),
    str: lambda value: "s" + digest(str.encode(value, "utf-8", "surrogatepass")),
    bytes: lambda value: "b" + digest(value),
    uuid.UUID: lambda value: value.hex,
    datetime.date: datetime.date.isoformat,
    decimal.Decimal: _decimal_text,
    type(None): lambda value: "null",
    tuple: lambda value: "t" + digest("\0".join(map(value_text, value)).encode()),
}
_BASES = {base: _TEXT[base] for base in (str, int, bytes, uuid.UUID, decimal.Decimal)}
"""Not ``date``: a ``datetime`` is one to Python and not to a database."""


def value_text(value: object) -> str:
    """
    Return the one text under which everything that is equal to ``value`` in the database is filed.

    :param value: as the field prepares it for the database (``get_prep_value``), never what a user typed; a composite key is a tuple.
    :raises InexactValue: for types whose equality is the database's business (float, datetime, JSON, anything unknown).
    """
    text = _TEXT.get(value.__class__)
    if text is None:
        text = _text_of_subclass(value)
    try:
        return text(value)
    except ValueError as error:                                     # an int of thousands of digits; no column holds it
        raise InexactValue(str(error)) from error


def _text_of_subclass(value: object) -> Callable[..., str]:
    """Return what makes the text of a member of ``TextChoices``, a ``SafeString`` and the like: to the database they are their base."""
    for base, text in _BASES.items():
        if isinstance(value, base):
            return text
    raise InexactValue(f"no exact text for {value.__class__.__name__}")


@dataclasses.dataclass(frozen=True, slots=True)
class TableTags:
    """The tags of one table of one database (and of one ``VARY`` of it)."""

    prefix: str
    """``<namespace>:t:<database>[.<vary>].<table>:``"""
    any: Tag = dataclasses.field(init=False)
    bulk: Tag = dataclasses.field(init=False)
    new: Tag = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        for kind in ("any", "bulk", "new"):
            object.__setattr__(self, kind, self.prefix + kind)

    def row(self, text: str) -> Tag:
        """Return the tag of the row whose pk has this `value_text`."""
        return f"{self.prefix}row:{text}"

    def col(self, column: str, text: str) -> Tag:
        """Return the tag of all rows that have this `value_text` in ``column``."""
        return f"{self.prefix}col:{name_text(column)}={text}"


@dataclasses.dataclass(frozen=True, slots=True)
class Keyspace:
    """Every key of one namespace; nothing else in the package writes a key."""

    namespace: str

    @property
    def epoch(self) -> str:
        return f"{self.namespace}:epoch"

    def table(self, database: str, table: str, *, vary: str = "") -> TableTags:
        """Return the tags of ``table``; ``database`` is an identity (hexadecimal), ``vary`` what the project's ``VARY`` returned."""
        scope = f"{database}.{name_text(vary)}" if vary else database
        return TableTags(f"{self.namespace}:t:{scope}.{name_text(table)}:")

    def entry(self, fingerprint: str, canonical: bytes) -> str:
        """Return the key of the entry whose full description is ``canonical``; the entry holds that text too and is compared with it."""
        return self.entries(fingerprint) + digest(canonical)

    def entries(self, fingerprint: str) -> str:
        """Return what the keys of all entries of one fingerprint begin with."""
        return f"{self.namespace}:e:{fingerprint}:"

    def lease(self, purpose: str, name: str) -> str:
        return f"{self.namespace}:l:{purpose}:{name}"


@dataclasses.dataclass(frozen=True, slots=True)
class TagParts:
    """A tag taken apart again, for people and for events."""

    database: str
    vary: str
    table: str
    kind: str
    column: str
    value: str


def parts(tag: Tag) -> TagParts:
    """
    Take a tag apart.

    :raises ValueError: the text is not a tag.
    """
    _, marker, rest = tag.partition(":t:")
    scope, _, named = rest.partition(":")
    kind, _, value = named.partition(":")
    if not marker or "." not in scope or kind not in {"row", "col", "new", "bulk", "any"}:
        raise ValueError(f"not a tag: {tag!r}")
    database, _, table = scope.partition(".")
    vary, _, table = table.rpartition(".")
    column, _, value = value.rpartition("=")
    return TagParts(database, vary, table, kind, column, value)
