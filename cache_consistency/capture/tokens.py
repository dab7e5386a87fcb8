"""SQL as tokens: as much of its grammar as is needed to see verbs and names, and never to take a text or a comment for one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<dollar>\$(?P<mark>[^\W\d]\w*|)\$.*?(?:\$(?P=mark)\$|\Z))
    | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    | (?P<text>\b[bBnNxXuU]?&?'(?:[^']|'')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z))
    | (?P<quoted>"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z)|\[[^\W\d][^\]\n]*\])
    | (?P<parameter>%s|%\(\w+\)s|%%|\?|:\w+)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>(?:\d[\d.]*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_CODED = re.compile(r"""[uU]&"(?:[^"]|"")*(?:"|\Z)""")
"""PostgreSQL's names with coded characters, ``U&"a\\0062c"``: which table that is depends on UESCAPE, and nobody writes them."""
_BACKSLASHES = re.compile(r"""(?P<text>'(?:[^'\\]|\\.|'')*(?:'|\Z))""", re.DOTALL)
"""MySQL's texts."""


def folded(name: str) -> str:
    """Return ``name`` without its case: databases disagree on it, so nobody is to be missed for it."""
    return name.upper().lower()                                       # a word comes in upper case, and "ß" does not come back from there


def names_of_table(db_table: str) -> set[str]:
    """Return what SQL may call a table, folded and without its schema: a dot outside of quotation marks is part of a name to Django."""
    return {folded(db_table.rpartition(".")[2].strip('"`')), folded(db_table.strip('"`'))}


_CODED_STARTS = ('U&"', 'u&"')


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    kind: str
    """``word`` (upper case), ``name`` (quoted), ``sign``, or ``value`` for what is none of these."""
    text: str

    @property
    def is_coded(self) -> bool:
        """Return whether this is a name with coded characters; its text is as it was written, which no table is called."""
        return self.kind == "name" and self.text[:3] in _CODED_STARTS

    @property
    def name(self) -> str:
        """What a word or a quoted name calls; see `folded`."""
        return folded(self.text)


def tokens(sql: str, *, vendor: str) -> Iterator[Token]:
    """Yield what counts; comments and blanks do not. A text that never ends reaches to the end."""
    position, size = 0, len(sql)
    while position < size:
        match = _BACKSLASHES.match(sql, position) if vendor == "mysql" and sql[position] == "'" else None
        if vendor == "postgresql" and (coded := _CODED.match(sql, position)):
            position = coded.end()
            yield Token("name", coded.group())
            continue
        match = match or _TOKEN.match(sql, position)
        if match is None:                                             # cannot be: the last alternative takes any character
            return
        position = match.end()
        kind = match.lastgroup
        if kind == "mark":
            kind = "dollar"
        if kind == "word":
            yield Token("word", match.group().upper())
        elif kind == "quoted":
            yield Token("name", _unquoted(match.group()))
        elif kind == "sign":
            yield Token("sign", match.group())
        elif kind != "space":
            yield Token("value", "")


def _unquoted(text: str) -> str:
    mark = text[0]
    if mark == "[":
        return text[1:-1]
    return text[1:].removesuffix(mark).replace(mark * 2, mark)


def statements(sql: str, *, vendor: str) -> list[list[Token]]:
    """
    Return the statements of ``sql``, each as its tokens.

    The body of a routine or a trigger may hold semicolons of its own: with CREATE FUNCTION, PROCEDURE or TRIGGER the rest is one statement.
    """
    found: list[list[Token]] = [[]]
    for token in tokens(sql, vendor=vendor):
        if token.kind == "sign" and token.text == ";" and not _holds_a_body(found[-1]):
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


def _holds_a_body(statement: list[Token]) -> bool:
    if not statement or statement[0].text != "CREATE":
        return False
    return any(token.kind == "word" and token.text in {"FUNCTION", "PROCEDURE", "TRIGGER"} for token in statement[:6])
