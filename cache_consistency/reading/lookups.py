"""
``get`` and ``get_many`` by pk or lookup, on a path that builds no SQL on a hit.

What an answer holds: the rows (none, one, or as many as Django itself would fetch to complain), so that "there is no such row" is an
answer like any other, and freed by the insert that makes it wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.db.models import Model, QuerySet
from django.db.models.query import MAX_GET_RESULTS

from cache_consistency import events
from cache_consistency.capture.equality import field_text
from cache_consistency.capture.identity import Unnamed
from cache_consistency.exceptions import CodecError, CorruptEntry
from cache_consistency.protocol.questions import Answers, Loaded, Payload
from cache_consistency.protocol.steps import EVERYTHING, fetch, fetch_many
from cache_consistency.protocol.tags import InexactValue
from cache_consistency.reading.plans import Lookup, Plan
from cache_consistency.reading.shadow import compared, shadowing
from cache_consistency.reading.shell import ReadShell, drive, refill, serving_store


class NotByLookup(Exception):
    """This get cannot be answered on the short path; the queryset does it."""


def get_instance(plan: Plan, connection: Any, lookup: Lookup, value: object) -> Model:
    """
    Return the one row whose lookup equals ``value``.

    :raises NotByLookup: the value is not one for the short path, or this connection must ask the database now.
    :raises DoesNotExist, MultipleObjectsReturned: of the model, as Django.
    """
    store = serving_store(connection, plan.tables, plan.label)
    if store is None:
        raise NotByLookup
    try:
        question = plan.question(connection, lookup, lookup.prepare(value))
    except (InexactValue, TypeError, ValueError, Unnamed) as error:
        raise NotByLookup from error                                # the queryset raises what Django raises
    loader = _Loader(plan, connection, lookup, [value])
    shell = ReadShell(store, connection, tables=plan.tables, label=plan.label, load=loader)
    answer = drive(fetch(question, plan.epoch, ttl=plan.policy.ttl), shell)
    if shadowing():
        answer = compared(shell, question, answer)
    if answer.__class__ is bytes:
        try:
            return only(plan, plan.codec.decode(answer), connection.alias)
        except CorruptEntry:
            answer = refill((question,), EVERYTHING, shell, ttl=plan.policy.ttl)
    return only(plan, answer.value[0], connection.alias)


def get_many(plan: Plan, connection: Any, pks: Sequence[object]) -> dict[Any, Model]:
    """
    Return ``{pk: instance}`` for those of n pks that there are, in the order asked, with at most one query.

    :raises NotByLookup: as `get_instance`.
    """
    lookup = plan.lookups.get("pk")
    store = serving_store(connection, plan.tables, plan.label)
    if lookup is None or store is None or shadowing():
        raise NotByLookup
    try:
        prepared = list(dict.fromkeys(lookup.prepare(pk) for pk in pks))
        questions = [plan.question(connection, lookup, pk) for pk in prepared]
    except (InexactValue, TypeError, ValueError, Unnamed) as error:
        raise NotByLookup from error
    loader = _Loader(plan, connection, lookup, prepared)
    shell = ReadShell(store, connection, tables=plan.tables, label=plan.label, load=loader)
    answers: Answers = drive(fetch_many(questions, plan.epoch, ttl=plan.policy.ttl), shell)
    events.count("hit", plan.label, "", len(questions) - len(answers.wanted))
    rows, unreadable = _decoded(plan, answers)
    if unreadable:
        again = refill(questions, unreadable, shell, ttl=plan.policy.ttl)
        rows.update(zip(unreadable, again.value, strict=True))
    ordered = [row for index in range(len(questions)) for row in rows[index]]
    return {instance.pk: instance for instance in plan.codec.build_many(ordered, db=connection.alias)}


def _decoded(plan: Plan, answers: Answers) -> tuple[dict[int, Sequence[Any]], tuple[int, ...]]:
    """Return the rows by index, and the indices of hits whose payload cannot be read."""
    rows: dict[int, Sequence[Any]] = dict(zip(answers.wanted, answers.loaded.value, strict=True)) if answers.loaded else {}
    unreadable = []
    for index, payload in enumerate(answers.payloads):
        if payload is not None:
            try:
                rows[index] = plan.codec.decode(payload)
            except CorruptEntry:
                unreadable.append(index)
    return rows, tuple(unreadable)


def only(plan: Plan, rows: Sequence[Any], alias: str) -> Model:
    if len(rows) == 1:
        return plan.codec.build(rows[0], db=alias)
    name, model = plan.model._meta.object_name, cast("Any", plan.model)
    if not rows:
        raise model.DoesNotExist(f"{name} matching query does not exist.")
    count = len(rows) if len(rows) < MAX_GET_RESULTS else f"more than {MAX_GET_RESULTS - 1}"
    raise model.MultipleObjectsReturned(f"get() returned more than one {name} -- it returned {count}!")


class _Loader:
    """Asks the database for the rows of some of the values."""

    def __init__(self, plan: Plan, connection: Any, lookup: Lookup, values: Sequence[object]) -> None:
        self.plan = plan
        self.connection = connection
        self.lookup = lookup
        self.values = values

    def __call__(self, wanted: tuple[int, ...]) -> Loaded:
        values = [self.values[index] for index in wanted]
        grouped = [self._query(values)] if len(values) == 1 else self._group(values)
        payloads = tuple(self._payload(rows) for rows in grouped)
        return Loaded([self.plan.codec.decode(payload.data) for payload in payloads], payloads)

    def _query(self, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return rows as the driver gives them, columns as in ``concrete_fields``."""
        name, alias = self.lookup.name, self.connection.alias
        condition = {name: values[0]} if len(values) == 1 else {f"{name}__in": values}
        queryset: QuerySet[Model] = QuerySet(self.plan.model, using=alias).filter(**condition).order_by()
        query = queryset.query
        if not self.lookup.field.unique and not self.lookup.is_pk:
            query.set_limits(high=MAX_GET_RESULTS)
        return [row for chunk in query.get_compiler(using=alias).execute_sql() for row in chunk]

    def _group(self, values: Sequence[object]) -> list[list[tuple[Any, ...]]]:
        """Return the rows of each of n values; told apart by the text that also names their tags, whatever Python makes of a pk."""
        field, size = self.lookup.field, self.connection.features.max_query_params or len(values)
        place = self.plan.codec.fields.index(field)
        by_text: dict[str, list[tuple[Any, ...]]] = {field_text(self.connection, field, value): [] for value in values}
        try:
            for start in range(0, len(values), size):
                for row in self._query(values[start:start + size]):
                    by_text[field_text(self.connection, field, row[place])].append(row)
        except (InexactValue, KeyError) as error:
            raise NotByLookup from error                            # a row under another key than any that was asked for
        return [by_text[field_text(self.connection, field, value)] for value in values]

    def _payload(self, rows: list[tuple[Any, ...]]) -> Payload:
        try:
            return Payload(self.plan.codec.encode(rows), missing=not rows)
        except CodecError as error:
            events.count("store", self.plan.label, "unencodable")
            events.warn_once(f"unencodable:{self.plan.label}:{error.field}", "not stored: %s", error)
            raise NotByLookup from error
