"""
How each column of a model is stored: what type msgspec expects, what is done before storing and after loading.

Three kinds of columns:

* **stock**: the field, and the field it gets its column type from, are Django's own in everything that reading needs.
  Backend and field converters run once, before storing; the typed decoder brings the converted value back. A few
  types need a last step on each build: zones, arrays, hstore, JSON (its text is stored, so that every caller gets
  his own objects, through the field's own decoder).
* **custom**: anything else. What the driver returned is stored, and the converters, ``from_db_value`` among them, run on
  each build, as they would on each read.
* **open**: stock, but of a type that is not in the table below (ranges, bytes, search vectors): stored tagged by value.
"""

import dataclasses
import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field
from django.db.models.expressions import Col

from cache_consistency.codecs.tagged import UTC, freeze
from cache_consistency.exceptions import CodecError

Converter = Callable[[Any, Any, Any], Any]
Step = Callable[[Any], Any]

_SCALARS: dict[str, type] = {
    **dict.fromkeys(("AutoField", "BigAutoField", "SmallAutoField", "IntegerField", "BigIntegerField", "SmallIntegerField"), int),
    **dict.fromkeys(("PositiveIntegerField", "PositiveBigIntegerField", "PositiveSmallIntegerField"), int),
    **dict.fromkeys(("CharField", "TextField", "SlugField", "FileField", "FilePathField", "GenericIPAddressField", "IPAddressField"), str),
    "BooleanField": bool,
    "FloatField": float,
    "DecimalField": decimal.Decimal,
    "DateField": datetime.date,
    "TimeField": datetime.time,
    "DurationField": datetime.timedelta,
    "UUIDField": uuid.UUID,
}
_READING_HOOKS = ("get_internal_type", "db_type", "db_parameters", "get_db_converters", "from_db_value", "select_format", "get_col")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How values of one type are stored, whatever the column."""

    name: str
    wire: Any
    """The type for msgspec; None is always allowed beside it: views and unmanaged tables have NULLs where models say there are none."""
    exact: type | None = None
    """Values of exactly this type are stored as they are."""
    store: Step | None = None
    """For the other values, never None; without it they are refused. Raises CodecError."""
    load: Step | None = None
    """On each build, for values other than None: stored form in, own object out."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One concrete field of a model, with everything that a generated function needs."""

    attname: str
    field_name: str
    expression: Col
    form: Form
    eager: tuple[Converter, ...] = ()
    lazy: tuple[Converter, ...] = ()

    def refuse(self, value: object) -> object:
        """Say which field it was; the value itself may be private."""
        raise CodecError(f"field {self.field_name!r} holds a {type(value).__qualname__}, stored is {self.form.name}", field=self.field_name)

    def store(self, value: object) -> object:
        """Bring a value that is neither None nor of the exact type into its stored form, or raise CodecError with the field's name."""
        try:
            return self.form.store(value) if self.form.store else self.refuse(value)
        except CodecError as error:
            raise CodecError(f"field {self.field_name!r}: {error}", field=self.field_name) from error


def column_for(field: "Field[Any, Any]", connection: BaseDatabaseWrapper) -> Column:
    """
    Plan one concrete field.

    :param connection: its converters are kept, so it must be one that belongs to the codec alone; it is not opened.
    """
    expression = field.get_col(field.model._meta.db_table)
    output = expression.output_field
    converters = (*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection))
    names: dict[str, Any] = {"attname": field.attname, "field_name": field.name, "expression": expression}
    if not (is_stock(field) and is_stock(output)):
        return Column(**names, form=OPEN, lazy=converters)
    if output.get_internal_type() == "JSONField":
        return Column(**names, form=_json_form(converters, expression))
    form = _form(output, zone=connection.timezone)
    if form is None:
        return Column(**names, form=OPEN, lazy=converters)
    return Column(**names, form=form, eager=converters)


def is_stock(field: "Field[Any, Any]") -> bool:
    """Is everything that decides what a read returns Django's own? A subclass that only validates or renders otherwise still is stock."""
    return all(_is_django(getattr(field, name, None)) for name in _READING_HOOKS)


def _is_django(hook: object) -> bool:
    return hook is None or (getattr(hook, "__module__", None) or "").startswith("django.")


def _form(field: "Field[Any, Any]", *, zone: datetime.tzinfo | None) -> Form | None:
    internal_type = field.get_internal_type()
    if internal_type in _SCALARS:
        kind = _SCALARS[internal_type]
        return Form(name=kind.__name__, wire=kind, exact=kind)
    if internal_type == "DateTimeField":
        return _datetime_form(zone)
    if internal_type == "HStoreField":
        return _HSTORE
    if internal_type == "ArrayField":
        return _array_form(field, zone=zone)
    return None


def _json_form(converters: tuple[Converter, ...], expression: Col) -> Form:
    def load(text: object) -> object:
        value = text
        for convert in converters:
            value = convert(value, expression, None)  # JSONField asks nothing of the connection
        return value

    return Form(name="json", wire=str, exact=str, load=load)


def _datetime_form(zone: datetime.tzinfo | None) -> Form:
    """
    A time stamp of ten bytes where possible.

    msgpack's time stamps are instants, and decode as UTC. In any other zone (or none) the *wall clock* is stored as if it
    were UTC and the zone put back on build: an instant would lose times that do not exist, which SQLite can hold.
    The second pass through an hour (``fold``) is stored as text, which carries no zone: so the two can be told apart.
    """

    def store(value: object) -> object:
        if type(value) is not datetime.datetime or value.tzinfo is not zone or (zone is UTC and value.fold):
            raise CodecError(f"not a datetime of zone {zone!r}: {type(value).__qualname__}")
        if zone is UTC:
            return value
        return value.replace(tzinfo=None) if value.fold else value.replace(tzinfo=UTC)

    def load(value: datetime.datetime) -> datetime.datetime:
        return value.replace(tzinfo=zone) if value.tzinfo is not None else value.replace(tzinfo=zone, fold=1)

    return Form(name=f"datetime in {zone!r}", wire=datetime.datetime, store=store, load=None if zone is UTC else load)


def _array_form(field: Any, *, zone: datetime.tzinfo | None) -> Form | None:
    """Arrays of plain scalars, however deep; None for the others, which are stored tagged."""
    base = field.base_field
    if not is_stock(base) or hasattr(base, "from_db_value"):
        return None
    inner = _form(base, zone=zone)
    if inner is None or not (inner.exact or inner.name.startswith("array")):
        return None
    return Form(
        name=f"array of {inner.name}",
        wire=tuple[inner.wire | None, ...],  # type: ignore[name-defined]
        store=_array_store(inner),
        load=_array_load(inner.load) if inner.load else list,
    )


def _array_store(inner: Form) -> Step:
    def store(value: object) -> object:
        if type(value) is not list:
            raise CodecError(f"not a list: {type(value).__qualname__}")
        for item in value:
            if item is None or type(item) is inner.exact:
                continue
            if inner.store is None:
                raise CodecError(f"an array of {inner.name} holds a {type(item).__qualname__}")
            inner.store(item)  # arrays store as they are; this only checks
        return value

    return store


def _array_load(load: Step) -> Step:
    return lambda value: [None if item is None else load(item) for item in value]


def _store_hstore(value: object) -> object:
    if type(value) is not dict:
        raise CodecError(f"not a dict: {type(value).__qualname__}")
    return value


_HSTORE = Form(
    name="hstore",
    wire=dict[str, str | None] | str,  # its text, where django.contrib.postgres is not installed
    exact=str,
    store=_store_hstore,
    load=lambda value: dict(value) if type(value) is dict else value,
)
OPEN = Form(name="open", wire=Any, store=freeze)
