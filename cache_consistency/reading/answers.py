"""
Answering a query's question: which rows does it give.

The question is described by the compiled SQL and its parameters, or, for lists of whole rows of one table, by what `simple` reads off the
query. A process remembers what each described question depends on, so that a hit neither compiles nor analyses.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models.sql import Query

from cache_consistency import conf, events, stores, switches
from cache_consistency.capture.identity import Unnamed
from cache_consistency.capture.reads import Reads, Uncacheable, analyse
from cache_consistency.capture.tagging import table_tags
from cache_consistency.declare import tracked
from cache_consistency.exceptions import CodecError, CorruptEntry
from cache_consistency.protocol.questions import Loaded, Payload, Question
from cache_consistency.protocol.steps import EVERYTHING, fetch
from cache_consistency.protocol.tags import Keyspace, digest
from cache_consistency.reading.literals import literal
from cache_consistency.reading.shadow import compared, shadowing
from cache_consistency.reading.shell import ReadShell, drive, refill, serving_store

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
    row_for_row: bool = False
    """The answer has one row for each row of the model's table that fulfils the conditions, so a missing one can be told by counting."""


def answer(
    query: Query, connection: Any, text: str, sql: Callable[[], str], form: Form, load: Callable[[], RowList]
) -> Any:
    """Answer a described question; ``sql`` is asked for only if this process has not analysed the description before."""
    policy = tracked.policy_for(query.model)                          # type: ignore[arg-type]
    label = query.model._meta.concrete_model._meta.label              # type: ignore[union-attr]
    if policy is None or switches.reads() == "off" or stores.current() is None:
        raise Plainly
    try:
        scope = scope_of(query, connection)
        reads = reads_of(query, connection, scope, text, sql)
        if isinstance(reads, Uncacheable):
            events.count("bypass", label, "uncacheable")
            raise Plainly
        store = serving_store(connection, reads.tables, label)
        if store is None:
            raise Plainly
        question = make_question(text, reads, scope, form.fingerprint)
    except Unnamed as error:
        events.count("bypass", label, "unnamed")
        raise Plainly from error
    shell = ReadShell(store, connection, tables=reads.tables, label=label, load=_Loader(label, form, reads, load))
    found = drive(fetch(question, store.keyspace.epoch, ttl=policy.ttl), shell)
    if shadowing():
        found = compared(shell, question, found)
    if isinstance(found, Loaded):
        return found.value
    try:
        return form.decode(found)
    except CorruptEntry:
        return refill((question,), EVERYTHING, shell, ttl=policy.ttl).value


def make_question(text: str, reads: Reads, scope: str, fingerprint: str) -> Question:
    """Return what is asked; ``scope`` comes from `scope_of`."""
    canonical = f"rows {scope} {text}".encode("utf-8", "surrogatepass")
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
        missing = self.reads.pks is not None and (not self.form.row_for_row or len(rows) < self.reads.pks)
        return Loaded(self.form.decode(data) if self.form.reread else rows, (Payload(data, missing=missing),))


# What a question depends on, remembered by its description.

_MEMORY = 8192
_known: OrderedDict[tuple[str, str], tuple[int, Reads | Uncacheable]] = OrderedDict()
_lock = threading.Lock()


def scope_of(query: Query, connection: Any) -> str:
    """Return a text for everything beside the query that says where it is answered: namespace, database, ``VARY``, model's table."""
    return table_tags(connection, query.get_meta().db_table).prefix


def reads_of(query: Query, connection: Any, scope: str, text: str, sql: Callable[[], str]) -> Reads | Uncacheable:
    """Return what the answer to this description depends on."""
    key = (scope, digest(text.encode("utf-8", "surrogatepass")))
    version = tracked.version()
    found = _known.get(key)
    if found is not None and found[0] == version:
        with contextlib.suppress(KeyError):                         # another thread has just made room
            _known.move_to_end(key)
        return found[1]
    reads = analyse(query, connection, sql())
    with _lock:
        _known[key] = (version, reads)
        if len(_known) > _MEMORY:
            _known.popitem(last=False)
    return reads


conf.on_change(_known.clear)


def describe_sql(kind: str, connection: Any, sql: str, params: Sequence[object]) -> str:
    """
    Return a text that says all that the answer to a compiled query depends on.

    :raises Plainly: a parameter cannot be told from another one by its text.
    """
    texts = [literal(value) for value in params]
    if None in texts:
        raise Plainly
    return f"{kind} {connection.timezone_name} {len(sql)} {sql} {' '.join(texts)}"     # type: ignore[arg-type]
