"""
Functions written for one model: driver row → stored row, stored row → instance.

Django makes an instance with one ``setattr`` a field. Where nothing can notice, the attributes are put into ``__dict__``
at once, several times faster. "Nothing can notice" is `is_plain` (decided once, by the class) and `has_listeners` (asked
on every build, since receivers come and go). Everybody else gets ``Model.from_db``, as from a queryset.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

from django.db import connections
from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.fields.files import FileDescriptor, ImageFileDescriptor
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import post_init, pre_init

from cache_consistency.codecs.columns import OPEN, Column
from cache_consistency.codecs.tagged import Frozen, thaw

Row = tuple[Any, ...]

_HARMLESS_DESCRIPTORS = (DeferredAttribute, ForeignKeyDeferredAttribute, FileDescriptor, ImageFileDescriptor)
"""On a fresh instance these do nothing but put the value into ``__dict__``."""


def is_plain(model: type[Model]) -> bool:
    """May instances be made without ``__init__`` and ``from_db``? True only if both, and all attribute access, are Django's own."""
    inits = [base for base in model.__mro__ if "__init__" in vars(base)]
    stock = (
        inits == [Model, object]  # Model.__init__ calls super().__init__(): a mixin behind Model counts as well
        and getattr(model.from_db, "__func__", None) is cast("Any", Model.from_db).__func__
        and model.__new__ is object.__new__
        and model.__setattr__ is object.__setattr__
        and type(model).__call__ is type.__call__
    )
    return stock and all(_is_harmless(model, field.attname) for field in model._meta.concrete_fields)


def _is_harmless(model: type[Model], attname: str) -> bool:
    descriptor = inspect.getattr_static(model, attname, None)
    return type(descriptor) in _HARMLESS_DESCRIPTORS or not hasattr(type(descriptor), "__set__")


def has_listeners(model: type[Model]) -> bool:
    """Does anybody listen to ``pre_init`` or ``post_init`` of this model now?"""
    return bool(
        (pre_init.receivers and pre_init.has_listeners(model)) or (post_init.receivers and post_init.has_listeners(model)),
    )


def compile_store(columns: Sequence[Column], *, connection: object) -> Callable[[Row], Row]:
    """Return a function from a driver's row to the tuple that is encoded; raises CodecError with the field's name."""
    lines, names = [], {"connection": connection, "NoneType": type(None)}
    for i, column in enumerate(columns):
        for j, convert in enumerate(column.eager):
            names[f"c{i}_{j}"], names[f"x{i}"] = convert, column.expression
            lines.append(f"v{i} = c{i}_{j}(v{i}, x{i}, connection)")
        names[f"s{i}"], names[f"k{i}"] = column.store, column.form.exact or type(None)
        lines.append(f"if v{i} is not None and type(v{i}) is not k{i}: v{i} = s{i}(v{i})")
    lines.append(f"return ({_variables(columns)})")
    return _compile("store(row)", [f"({_variables(columns)}) = row", *lines], names)


def compile_values(columns: Sequence[Column]) -> Callable[[Row, str], list[Any]]:
    """Return a function from a stored row and an alias to the list of values that ``from_db`` takes, all of them fresh."""
    lines, names = _loading(columns)
    return _compile("values(row, db)", [*lines, f"return [{_variables(columns)}]"], names)


def compile_build(columns: Sequence[Column], model: type[Model], *, state: dict[str, object]) -> Callable[[Row, str], Model]:
    """
    Return a function from a stored row and an alias to an instance of a model that `is_plain`.

    :param state: what ``_state`` holds beside ``db``.
    """
    lines, names = _loading(columns)
    items = ", ".join(f"{column.attname!r}: v{i}" for i, column in enumerate(columns))
    body = [
        *lines,
        "state = ModelState()",
        *(f"state.{key} = state_{key}" for key in state),
        "state.db = db",
        "instance = new(model)",
        f"instance.__dict__ = {{'_state': state, {items}}}",
        "return instance",
    ]
    own = {"new": object.__new__, "model": model, "ModelState": ModelState, **{f"state_{key}": value for key, value in state.items()}}
    return _compile("build(row, db)", body, {**names, **own})


def _loading(columns: Sequence[Column]) -> tuple[list[str], dict[str, Any]]:
    """Statements that leave each column's own value in ``v0``, ``v1``, …, and the names that they use."""
    lines, names = [f"({_variables(columns)}) = row"], {"Frozen": Frozen, "thaw": thaw, "connections": connections}
    if any(column.lazy for column in columns):
        lines.append("connection = connections[db]")
    for i, column in enumerate(columns):
        if column.form is OPEN:
            lines.append(f"if type(v{i}) is Frozen: v{i} = thaw(v{i})")
        elif column.form.load is not None:
            names[f"l{i}"] = column.form.load
            lines.append(f"if v{i} is not None: v{i} = l{i}(v{i})")
        for j, convert in enumerate(column.lazy):
            names[f"c{i}_{j}"], names[f"x{i}"] = convert, column.expression
            lines.append(f"v{i} = c{i}_{j}(v{i}, x{i}, connection)")
    return lines, names


def _variables(columns: Sequence[Column]) -> str:
    return "".join(f"v{i}, " for i in range(len(columns)))


def _compile(signature: str, body: Sequence[str], names: dict[str, Any]) -> Callable[..., Any]:
    """The source holds numbered names and attribute names in quotes only, so nothing of a model's declaration is executed."""
    source = f"def {signature}:\n    " + "\n    ".join(body)
    namespace = dict(names)
    exec(compile(source, f"<cache_consistency {signature}>", "exec"), namespace)  # noqa: S102 (see the docstring)
    function: Callable[..., Any] = namespace[signature.partition("(")[0]]
    return function
