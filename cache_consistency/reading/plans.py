"""
Plans: what a read of one model on one connection needs to know, worked out once.

A plan holds the policy, the codec, the tables a row of the model is made of and the fields it can be found by. It lives as long as the
tracked list and the settings stay what they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Field, Model
from django.db.models.fields.related import ForeignKey

from cache_consistency import conf
from cache_consistency.capture.equality import is_exact, text_maker
from cache_consistency.capture.tagging import table_tags
from cache_consistency.codecs.rows import RowCodec, codec_for
from cache_consistency.declare import tracked
from cache_consistency.declare.policy import CachePolicy
from cache_consistency.declare.tables import tables_of
from cache_consistency.protocol.questions import Question
from cache_consistency.protocol.tags import InexactValue, Keyspace


@dataclasses.dataclass(frozen=True, slots=True)
class Lookup:
    """One way to find rows by equality, on a path that builds no SQL."""

    name: str
    """What stands left of ``=`` in ``filter()``."""
    field: Any
    table: str
    is_pk: bool
    plain: type | None
    """A value of exactly this type is what the database gets; anything else is prepared by the field first."""
    text: Callable[[object], str]
    """`equality.field_text` of the field."""

    def prepare(self, value: object) -> object:
        """
        Return ``value`` as it is compared in the database.

        :raises InexactValue: it is not a plain value: an expression, a queryset, something only a query can make sense of.
        """
        if value.__class__ is self.plain:
            return value
        if value is None or hasattr(value, "resolve_expression"):
            raise InexactValue(f"{self.name} is not compared with a plain value")
        if isinstance(value, Model):
            raise InexactValue("an instance is taken apart by the query")
        return self.field.get_prep_value(value)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How one model is read on one connection."""

    model: type[Model]
    label: str
    policy: CachePolicy
    codec: RowCodec
    tables: tuple[str, ...]
    """The model's table and those of its multi-table parents."""
    lookups: Mapping[str, Lookup]
    epoch: str
    """The epoch's key."""
    entries: str
    """What the keys of this model's rows begin with."""

    def question(self, connection: Any, lookup: Lookup, value: object) -> Question:
        """
        Return what ``get(<lookup>=value)`` asks, for a value that `Lookup.prepare` returned.

        :raises InexactValue: equality with this value is the database's business.
        """
        text, tags = lookup.text(value), table_tags(connection, lookup.table)
        tag = tags.row(text) if lookup.is_pk else tags.col(lookup.field.column, text)
        canonical = f"{self.label} {tag}={value!a}".encode("ascii")
        key = f"{self.entries}{tag}"                                # a tag is as good a name as a hash, and costs nothing
        if not lookup.is_pk:
            return Question(key, canonical, (tags.bulk, tag))
        if len(self.tables) == 1:
            return Question(key, canonical, (tags.bulk, tag), (tags.new,))
        every = [table_tags(connection, table) for table in self.tables]
        return Question(
            key, canonical, tuple(tag for one in every for tag in (one.bulk, one.row(text))), tuple(one.new for one in every)
        )


_plans: dict[tuple[type[Model], str], tuple[int, Plan | None]] = {}


def plan_for(model: type[Model], connection: Any) -> Plan | None:
    """Return the plan of a model, or None if it has no policy (or cannot be stored: then a check says so)."""
    key, version = (model, connection.alias), tracked.version()
    found = _plans.get(key)
    if found is None or found[0] != version:
        found = _plans[key] = (version, _make(model, connection))
    return found[1]


def known_plan(model: type[Model], alias: str) -> Plan | None:
    """Return what `plan_for` has returned before, if that still holds; never asks the database, as making a plan may."""
    found = _plans.get((model, alias))
    return found[1] if found is not None and found[0] == tracked.version() else None


conf.on_change(_plans.clear)


def _make(model: type[Model], connection: Any) -> Plan | None:
    policy = tracked.policy_for(model)
    if policy is None:
        return None
    meta = model._meta.concrete_model._meta                          # type: ignore[union-attr]
    tables = tables_of(model)
    keyspace = Keyspace(conf.app_settings().NAMESPACE)
    codec = codec_for(model, connection)
    return Plan(
        model, meta.label, policy, codec, tables, _lookups(model, connection, tables), keyspace.epoch, keyspace.entries(codec.fingerprint)
    )


def _lookups(model: type[Model], connection: Any, tables: tuple[str, ...]) -> dict[str, Lookup]:
    """Return the lookups whose equality is exact on this connection, by every name a caller may use for them."""
    found = {}
    pk = model._meta.pk
    for name, field in tracked.lookup_fields(model).items():
        table = field.model._meta.db_table
        is_pk = field is pk
        if not is_exact(connection, field):
            continue
        if is_pk and not _one_key_through(model, tables) or not is_pk and len(tables) > 1:
            continue                                                # rows are joined: the query's analysis knows better
        found[name] = Lookup(name, field, table, is_pk, _plain(field), text_maker(connection, field))
    return found


def _one_key_through(model: type[Model], tables: tuple[str, ...]) -> bool:
    """Return whether each table that a row is made of is keyed by the same value."""
    meta = model._meta
    return len(tables) == 1 or all(
        link is not None and link.primary_key for parent in meta.all_parents for link in [meta.get_ancestor_link(parent)]
    ) and all(len(parent._meta.parents) <= 1 for parent in (model, *meta.all_parents))


def _plain(field: Field[Any, Any]) -> type | None:
    """Return the one type that this field hands to the database unchanged, if that is certain."""
    target: Any = field
    while isinstance(target, ForeignKey):
        target = target.target_field
    if type(target).__module__ != "django.db.models.fields":
        return None
    kinds: dict[str, type] = {
        "AutoField": int, "BigAutoField": int, "SmallAutoField": int, "IntegerField": int, "BigIntegerField": int,
        "SmallIntegerField": int, "PositiveIntegerField": int, "PositiveBigIntegerField": int, "PositiveSmallIntegerField": int,
        "CharField": str, "SlugField": str, "TextField": str, "EmailField": str, "URLField": str,
    }
    return kinds.get(type(target).__name__)
