"""
Rows of one model as typed msgpack tuples, and instances made from them.

A codec is made for a model on a kind of connection: what a driver returns, and what Django makes of it, depends on the
backend and on the time zone. Its `fingerprint` belongs into the key of whatever is stored, so that bytes of an older
model are never looked at. Rows are stored *after* the converters of stock fields (see `columns`): a hit runs none.
"""

import hashlib
import inspect
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from django.db.models.signals import post_init, pre_init

from cache_consistency.codecs.builder import Row, compile_build, compile_store, compile_values, has_listeners, is_plain
from cache_consistency.codecs.columns import Column, column_for
from cache_consistency.codecs.tagged import DECODE_ERRORS, ENCODE_ERRORS, encode, unfreeze
from cache_consistency.exceptions import CodecError, CorruptEntry

CODEC_VERSION = 1
"""Part of every fingerprint; goes up when stored bytes would be read differently."""

_CONVERTER_ERRORS = (ValueError, TypeError, ArithmeticError, AttributeError)
"""What Django's converters raise for a value that is none of their type, as SQLite can hold; a read of that row fails with it too."""

_FETCH_ONE = getattr(models, "FETCH_ONE", None)
"""What instances of an ordinary queryset carry since Django 6.1; None before."""


class RowCodec:
    """Encode, decode and build rows of one model as one kind of connection returns them."""

    __slots__ = ("_build", "_connection", "_decoder", "_store", "_takes_fetch_mode", "_values", "columns", "fields", "fingerprint", "model")

    def __init__(self, model: type[Model], connection: BaseDatabaseWrapper) -> None:
        self.model = model
        self.fields = model._meta.concrete_fields
        # A wrapper of our own, not left open: converters are bound to it, and a codec must not keep a thread's connection alive.
        self._connection = connection.copy()
        self.columns = tuple(column_for(field, self._connection) for field in self.fields)
        if self._connection.connection is not None:  # some backends ask the server what it can
            self._connection.close()
        self.fingerprint = _fingerprint(self.columns, self.fields, self._connection)
        self._store = compile_store(self.columns, connection=self._connection)
        self._values = compile_values(self.columns)
        state: dict[str, object] = {"adding": False} if _FETCH_ONE is None else {"adding": False, "fetch_mode": _FETCH_ONE}
        self._build = compile_build(self.columns, model, state=state) if is_plain(model) else None
        self._takes_fetch_mode = _FETCH_ONE is not None and _accepts(model.from_db, "fetch_mode")
        self._decoder = _row_decoder(self.columns)

    @property
    def is_compiled(self) -> bool:
        """Do instances come from the generated builder now? Else from the model's ``from_db``, which is slower."""
        return self._build is not None and not has_listeners(self.model)

    def encode(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """
        Encode n rows just as ``compiler.execute_sql`` returned them for all concrete fields, in order.

        :raises CodecError: a value cannot be stored; ``field`` names where.
        """
        try:
            return encode([self._store(cast("Row", row)) for row in rows])
        except (*ENCODE_ERRORS, *_CONVERTER_ERRORS) as error:
            raise self._refusal(rows, error) from error

    def decode(self, payload: bytes) -> list[Row]:
        """
        Return n rows in a form that only `build` understands; they may be kept and built from many times.

        :raises CorruptEntry: these bytes are not rows of this model.
        """
        try:
            return self._decoder.decode(payload)
        except DECODE_ERRORS as error:
            raise CorruptEntry(f"not rows of {self.model._meta.label}: {error}") from error

    def build(self, row: Row, *, db: str, fetch_mode: Any = None) -> Model:
        """
        Make one instance, as a queryset on alias ``db`` would.

        :param row: one of what `decode` returned.
        :param fetch_mode: Django 6.1: the queryset's; None is the ordinary one.
        """
        quiet = not (pre_init.receivers or post_init.receivers) or not has_listeners(self.model)  # the first half saves a call
        if quiet and self._build is not None and (fetch_mode is None or fetch_mode is _FETCH_ONE):
            return self._build(row, db)
        return self.build_many((row,), db=db, fetch_mode=fetch_mode)[0]

    def build_many(self, rows: Iterable[Row], *, db: str, fetch_mode: Any = None) -> list[Model]:
        """Make n instances, same order; under a fetch mode that tracks peers they are each other's."""
        if self._build is not None and not has_listeners(self.model):
            build = self._build
            instances = [build(row, db) for row in rows]
        else:
            instances = self._from_db(rows, db=db, fetch_mode=fetch_mode)
        if fetch_mode is not None and fetch_mode is not _FETCH_ONE:
            _apply(fetch_mode, instances, all_same=self._build is not None)
        return instances

    def _from_db(self, rows: Iterable[Row], *, db: str, fetch_mode: Any) -> list[Model]:
        """The way of Django's own iterables, for models where somebody watches."""
        from_db, values = cast("Any", self.model.from_db), self._values
        names = [field.attname for field in self.fields]
        extra = {"fetch_mode": fetch_mode or _FETCH_ONE} if self._takes_fetch_mode else {}
        return [from_db(db, names, values(row, db), **extra) for row in rows]

    def _refusal(self, rows: Sequence[Sequence[Any]], error: Exception) -> CodecError:
        """
        Find the first value that a converter or msgspec refuses: no UUID, a lone surrogate, an integer beyond 64 bits.

        What it says goes into a log, and the texts of such errors quote values: only their kind is told.
        """
        label, width = self.model._meta.label, len(self.columns)
        for row in rows:
            if len(row) != width:
                return CodecError(f"{label}: {len(row)} values for {width} columns")
            for i, column in enumerate(self.columns):
                try:
                    encode(self._store((*[None] * i, row[i], *[None] * (width - i - 1))))
                except (*ENCODE_ERRORS, *_CONVERTER_ERRORS) as reason:
                    return CodecError(
                        f"{label}: field {column.field_name!r} cannot be stored: {type(reason).__name__}", field=column.field_name
                    )
        return CodecError(f"{label}: {len(rows)} rows cannot be stored: {type(error).__name__}")


def _apply(fetch_mode: Any, instances: Sequence[Model], *, all_same: bool) -> None:
    """
    Set what Django 6.1 keeps in ``_state`` for lazy loading.

    :param all_same: ``from_db`` is Django's. One that does not take the mode (deprecated) leaves it out, as in a queryset.
    """
    peers = [weakref.ref(instance) for instance in instances] if fetch_mode.track_peers else ()
    for instance in instances:
        state = cast("Any", instance._state)
        if all_same:
            state.fetch_mode = fetch_mode
        if peers:
            state.peers = peers


def _row_decoder(columns: Sequence[Column]) -> msgspec.msgpack.Decoder[list[Row]]:
    types = tuple(column.form.wire | None if column.form.wire is not Any else Any for column in columns)
    row_type = tuple.__class_getitem__(types)
    return cast("msgspec.msgpack.Decoder[list[Row]]", msgspec.msgpack.Decoder(list[row_type], ext_hook=unfreeze))  # type: ignore[valid-type]


def _fingerprint(columns: Sequence[Column], fields: Sequence["Field[Any, Any]"], connection: BaseDatabaseWrapper) -> str:
    """Everything that decides how bytes are read, as 12 hex digits."""
    parts: list[object] = [CODEC_VERSION, connection.vendor, repr(connection.timezone), connection.timezone_name]
    for column, field in zip(columns, fields, strict=True):
        output = column.expression.output_field
        kinds = [f"{type(part).__module__}.{type(part).__qualname__}" for part in (field, output)]
        digits = [getattr(output, name, None) for name in ("max_digits", "decimal_places")]
        parts.append([column.attname, field.column, *kinds, column.form.name, len(column.lazy), field.db_type(connection), *digits])
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _accepts(function: Any, name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


_codecs: dict[tuple[object, ...], RowCodec] = {}


def codec_for(model: type[Model], connection: BaseDatabaseWrapper) -> RowCodec:
    """
    Return the codec of ``model``, or of a proxy, for rows of ``connection``; made on first use, without a query.

    Made anew when a field was added to the model since.
    """
    key = (model, connection.alias, type(connection), connection.timezone, connection.timezone_name)
    codec = _codecs.get(key)
    if codec is None or codec.fields is not model._meta.concrete_fields:
        codec = _codecs[key] = RowCodec(model, connection)
    return codec


def problems(model: type[Model]) -> list[tuple[str, str]]:
    """
    List what makes rows of ``model`` impossible to store, without a database: pairs of field name and reason.

    The name is empty where the model as a whole is meant. A value of an unexpected type is not found here but by `encode`.
    """
    meta = model._meta
    if meta.abstract:
        return [("", "an abstract model has no rows")]
    if meta.swapped:
        return [("", f"the model is swapped for {meta.swapped}")]
    if not meta.concrete_fields:
        return [("", "the model has no columns")]
    found = ((field.name, _problem(field)) for field in meta.concrete_fields)
    return [(name, reason) for name, reason in found if reason is not None]


def _problem(field: "Field[Any, Any]") -> str | None:
    try:
        field.get_col(field.model._meta.db_table).output_field.get_internal_type()
    except (FieldError, ValueError, AttributeError, TypeError) as error:
        return f"its column type cannot be resolved: {error}"
    return None
