"""
Answering a query's question: which rows does it give.

The question is described by the compiled SQL and its parameters, or, for lists of whole rows of one table, by what `simple` reads off the
query. A process remembers what each described question depends on, so that a hit neither compiles nor analyses.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models.sql import Query

from cache_consistency import conf, events
from cache_consistency.capture import identity
from cache_consistency.capture.reads import Reads, Uncacheable, analyse
from cache_consistency.declare import tracked
from cache_consistency.exceptions import CodecError, CorruptEntry
from cache_consistency.protocol.entries import Miss
from cache_consistency.protocol.questions import Loaded, Payload, Question
from cache_consistency.protocol.steps import fetch
from cache_consistency.protocol.tags import Keyspace, digest
from cache_consistency.reading.shadow import compare, shadowing
from cache_consistency.reading.shell import ReadShell, drive, serving_store

RowList = list[tuple[Any, ...]]


class Plainly(Exception):
    """This query is answered by the database, and nothing is stored."""


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """How the rows of one kind of answer are written and read."""

    fingerprint: str
    """What decides how payloads are read."""
    encode: Callable[[RowList], bytes]
    decode: Callable[[bytes], Any]
    reread: bool = False
    """Rows from the database are read out of their own payload as well, for the caller takes them in no other form."""


def answer(
    query: Query, connection: Any, text: str, sql: Callable[[], str], form: Form, load: Callable[[], RowList]
) -> Any:
    """Answer a described question; ``sql`` is asked for only if this process has not analysed the description before."""
    label, policy = query.model._meta.concrete_model._meta.label, tracked.policy_for(query.model)      # type: ignore[union-attr]
    if policy is None:
        raise Plainly
    if serving_store(connection, (), label) is None:
        raise Plainly
    reads = reads_of(query, connection, text, sql)
    if isinstance(reads, Uncacheable):
        events.count("bypass", label, "uncacheable")
        raise Plainly
    store = serving_store(connection, reads.tables, label)
    if store is None:
        raise Plainly
    question = make_question(text, reads, connection, form.fingerprint)
    shell = ReadShell(store, connection, tables=reads.tables, label=label, load=_Loader(label, form, reads, load))
    found = drive(fetch(question, store.keyspace.epoch, ttl=policy.ttl), shell)
    if shadowing():
        compare(shell, question, found)
        raise Plainly
    if isinstance(found, Loaded):
        return found.value
    try:
        return form.decode(found)
    except CorruptEntry:
        events.count("miss", label, Miss.CORRUPT)
        raise Plainly from None


def make_question(text: str, reads: Reads, connection: Any, fingerprint: str) -> Question:
    canonical = f"rows {identity.database_identity(connection)} {identity.vary(connection)} {text}".encode("ascii", "backslashreplace")
    key = Keyspace(conf.app_settings().NAMESPACE).entry(fingerprint, canonical)
    return Question(key, canonical, reads.tags, reads.also)


class _Loader:
    """Asks the database, and makes a payload of what it says."""

    def __init__(self, label: str, form: Form, reads: Reads, load: Callable[[], RowList]) -> None:
        self.label = label
        self.form = form
        self.reads = reads
        self.load = load

    def __call__(self, wanted: tuple[int, ...]) -> Loaded:
        rows = self.load()
        try:
            data = self.form.encode(rows)
        except CodecError as error:
            events.count("store", self.label, "unencodable")
            events.warn_once(f"unencodable:{self.label}:{error.field}", "not stored: %s", error)
            if self.form.reread:
                raise Plainly from error
            return Loaded(rows, (None,))
        missing = self.reads.pks is not None and len(rows) < self.reads.pks
        return Loaded(self.form.decode(data) if self.form.reread else rows, (Payload(data, missing=missing),))


# What a question depends on, remembered by its description.

_MEMORY = 8192
_known: OrderedDict[tuple[str, str], tuple[int, Reads | Uncacheable]] = OrderedDict()
_lock = threading.Lock()


def reads_of(query: Query, connection: Any, text: str, sql: Callable[[], str]) -> Reads | Uncacheable:
    """Return what the answer to this description depends on."""
    key = (f"{identity.database_identity(connection)} {identity.vary(connection)}", digest(text.encode("ascii", "backslashreplace")))
    version = tracked.version()
    found = _known.get(key)
    if found is not None and found[0] == version:
        return found[1]
    reads = analyse(query, connection, sql())
    with _lock:
        _known[key] = (version, reads)
        if len(_known) > _MEMORY:
            _known.popitem(last=False)
    return reads


conf.on_change(_known.clear)

_EXACT = frozenset({
    int, str, bool, float, bytes, type(None), decimal.Decimal, uuid.UUID, datetime.datetime, datetime.date, datetime.time, datetime.timedelta,
})


def describe_sql(kind: str, connection: Any, sql: str, params: Sequence[object]) -> str:
    """
    Return a text that says all that the answer to a compiled query depends on.

    :raises Plainly: a parameter cannot be told from another one by its text.
    """
    texts = [_parameter(value) for value in params]
    if None in texts:
        raise Plainly
    return f"{kind} {connection.timezone_name} {sql} {' '.join(texts)}"                # type: ignore[arg-type]


def _parameter(value: object) -> str | None:
    if value.__class__ in _EXACT:
        return f"{value.__class__.__name__}:{value!a}"
    if value.__class__ in (list, tuple):
        parts = [_parameter(item) for item in value]                # type: ignore[attr-defined]
        return None if None in parts else f"{value.__class__.__name__}[{','.join(parts)}]"     # type: ignore[arg-type]
    obj = getattr(value, "obj", None)                               # psycopg's wrappers: Json, Jsonb, typed numbers
    if type(value).__module__.startswith("psycopg") and obj is not None:
        inner = ascii(obj)
        return f"{type(value).__name__}:{inner}" if " at 0x" not in inner else None
    if type(value).__module__.startswith(("psycopg", "django.db")) and isinstance(value, (int, str)):
        return f"{type(value).__name__}:{value!s}" if isinstance(value, int) else f"{type(value).__name__}:{str(value)!a}"
    return None
