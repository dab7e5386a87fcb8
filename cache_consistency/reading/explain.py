"""``explain``: why a read is, or is not, answered by the cache."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable

from cache_consistency import stores, switches
from cache_consistency.capture import state
from cache_consistency.capture.identity import Unnamed
from cache_consistency.capture.reads import Uncacheable
from cache_consistency.conf import app_settings
from cache_consistency.declare.labels import parse_label
from cache_consistency.exceptions import InvalidationError, StoreError
from cache_consistency.protocol.entries import Miss, validate
from cache_consistency.protocol.questions import Question
from cache_consistency.protocol.tags import Tag
from cache_consistency.protocol.versions import is_clean
from cache_consistency.reading.answers import Plainly, describe_sql, make_question, reads_of, scope_of
from cache_consistency.reading.managers import as_cached
from cache_consistency.reading.plans import Plan, plan_for
from cache_consistency.reading.queries import ROWS
from cache_consistency.reading.querysets import describe_list, primary
from cache_consistency.reading.simple import is_plain
from cache_consistency.stores.base import Store


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to one read now. ``str()`` of it is for people."""

    subject: str
    outcome: str
    """``"hit"``, ``"miss"`` or ``"uncached"``."""
    reason: str
    key: str = ""
    tags: tuple[tuple[Tag, str], ...] = ()
    """Each tag with ``"clean"``, ``"pending"`` or ``"absent"``."""
    ttl: float = 0.0
    """Seconds an entry is kept when it is filled."""
    epoch_age: float | None = None
    quarantine_left: float = 0.0
    """Seconds for which nothing will be stored."""

    def __str__(self) -> str:
        lines = [f"{self.subject}: {self.outcome} ({self.reason})"]
        if self.key:
            lines += [f"  entry  {self.key}  kept {self.ttl:g} s"]
            lines += [f"  {how:7}{tag}" for tag, how in self.tags]
        if self.quarantine_left:
            lines += [f"  quarantine: nothing is stored for another {self.quarantine_left:.1f} s"]
        return "\n".join(lines)


def explain(target: Any, *, using: str | None = None) -> Explanation:
    """
    Say whether ``target`` would be a hit now, and why not.

    :param target: a queryset, an instance, or ``"shop.Product:42"``.
    :raises InvalidationError: a label that names no model or no primary key of it.
    """
    try:
        return _explain_queryset(target, using) if isinstance(target, QuerySet) else _explain_row(target, using)
    except Unnamed as error:
        return Explanation(str(target) if isinstance(target, str) else type(target).__name__, "uncached", str(error))


def _explain_row(target: Any, using: str | None) -> Explanation:
    model, pk, alias = _row(target, using)
    subject, connection = f"{model._meta.label}:{pk}", connections[alias]
    plan = plan_for(model, connection)
    if plan is None:
        return _no_policy(subject, model)
    lookup = plan.lookups.get("pk")
    if lookup is None:
        return Explanation(subject, "uncached", "equality of its primary key is the database's own business; use a queryset")
    return _look(subject, plan.question(connection, lookup, lookup.prepare(pk)), plan, connection, plan.tables)


def _row(target: Any, using: str | None) -> tuple[type[Model], Any, str]:
    if isinstance(target, Model):
        return type(target), target.pk, using or target._state.db or DEFAULT_DB_ALIAS
    if not isinstance(target, str):
        raise InvalidationError(f"{target!r} cannot be explained: give a queryset, an instance or 'app.Model:pk'")
    model, text = parse_label(target)
    if text is None:
        raise InvalidationError(f"{target!r} names no row; write 'app.Model:pk'")
    try:
        return model, model._meta.pk.to_python(text), using or DEFAULT_DB_ALIAS
    except ValidationError as error:
        raise InvalidationError(f"{target!r}: {text!r} is not a primary key of {model._meta.label}") from error


def _explain_queryset(queryset: QuerySet[Any], using: str | None) -> Explanation:
    alias, model = using or primary(queryset), queryset.model
    connection, subject = connections[alias], f"{model._meta.label} queryset"
    plan = plan_for(model, connection)
    if plan is None:
        return _no_policy(subject, model)
    query = as_cached(queryset.query)
    query.cc_cached = False
    try:
        if queryset._iterable_class is ModelIterable and is_plain(query):
            text, compiled, _ = describe_list(query, alias)
            sql, fingerprint = compiled(), plan.codec.fingerprint
        else:
            sql, params = query.clone().get_compiler(using=alias).as_sql()
            text, fingerprint = describe_sql("multi", connection, sql, params), ROWS.fingerprint
    except (Plainly, EmptyResultSet):
        return Explanation(subject, "uncached", "it can have no rows, or a parameter cannot be told from another one by its text")
    scope = scope_of(query, connection)
    reads = reads_of(query, connection, scope, text, lambda: sql)
    if isinstance(reads, Uncacheable):
        return Explanation(subject, "uncached", reads.reason)
    return _look(subject, make_question(text, reads, scope, fingerprint), plan, connection, reads.tables)


def _no_policy(subject: str, model: type[Model]) -> Explanation:
    return Explanation(subject, "uncached", f"{model._meta.label} has no cache_policy")


def _look(subject: str, question: Question, plan: Plan, connection: Any, tables: Any) -> Explanation:
    switch = switches.reads()
    store = stores.current()
    if store is None or not switches.active():
        return Explanation(subject, "uncached", "no store is in force (CACHE), or the app is switched off (ENABLED, a test runner)")
    try:
        found = _consult(subject, question, plan, store)
    except StoreError as error:
        return Explanation(subject, "uncached", f"the store does not answer: {error}")
    if switch == "off":
        return dataclasses.replace(found, outcome="uncached", reason='READS is "off", or this block said no_cache()')
    if state.withheld is None or not state.withheld.isdisjoint(tables):
        return dataclasses.replace(found, outcome="uncached", reason="this process still owes the store an invalidation of the table")
    if not state.may_serve(connection, tables):
        return dataclasses.replace(
            found, outcome="uncached", reason="this transaction has written the table, sees an older snapshot, or is broken"
        )
    return found


_REASONS = {
    Miss.ABSENT: "there is no such entry: never filled, expired or evicted",
    Miss.CHANGED: "something it depends on was written since it was filled",
    Miss.PENDING: "a writer is about to commit, or died doing so",
    Miss.EPOCH: "the store began a new epoch since it was filled",
    Miss.FOREIGN: "the bytes under its key are not an entry of ours",
}


def _consult(subject: str, question: Question, plan: Plan, store: Store) -> Explanation:
    tags, epoch = question.tags + question.also, store.epoch()      # first: a store that was never used has none
    raw, *states, epoch_value = store.get((question.key, *tags, store.keyspace.epoch))
    answer = validate(raw, states, epoch_value, question.canonical, short=len(question.tags) if question.also else None)
    missed = answer if isinstance(answer, Miss) else None
    return Explanation(
        subject,
        "hit" if missed is None else "miss",
        "every tag stands" if missed is None else _REASONS[missed],
        question.key,
        tuple((tag, "absent" if one is None else "clean" if is_clean(one) else "pending") for tag, one in zip(tags, states, strict=True)),
        plan.policy.ttl,
        epoch.age,
        max(0.0, app_settings().QUARANTINE - epoch.age) if store.shared else 0.0,       # what is in memory outlives nothing
    )
