"""
The one list: which models are cached, and which tables' writes must be seen. Everybody asks here, nobody keeps a list of their own.

The list is rebuilt when it is next asked for after anything changed it: a model class was made, ``register`` was called, a setting was
overridden. `version` grows with every change, so that others can cache what they derive from it. Before all models are imported the list is
empty, but `any_declared` already knows.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from django.apps import apps
from django.core.signals import setting_changed
from django.db.models import Model
from django.db.models.signals import class_prepared

from cache_consistency.conf import on_change
from cache_consistency.declare import meta, sources
from cache_consistency.declare import tables as _tables
from cache_consistency.declare.lookups import AnyField
from cache_consistency.declare.policy import CachePolicy, parse
from cache_consistency.declare.tables import TrackedTable
from cache_consistency.exceptions import DeclarationError

__all__ = [
    "TrackedTable", "any_declared", "lookup_fields", "name_in_tag", "on_first", "policy_for", "register", "table", "tables", "unregister",
    "version",
]

_NO_NAMES: Mapping[str, AnyField] = MappingProxyType({})
_snapshot: _tables.Snapshot | None = None
_version = 1
_in_meta = False
_in_settings = False
_waiting: list[Callable[[], None]] = []


def policy_for(model: type[Model]) -> CachePolicy | None:
    """Return the policy in force for the model (a proxy has that of its concrete model); ``None``: it is not cached."""
    return _current().policies.get(model._meta.concrete_model)  # type: ignore[arg-type]


def lookup_fields(model: type[Model]) -> Mapping[str, AnyField]:
    """Return the names that find rows of a cached model, see `lookups.names`; empty for a model without a policy."""
    return _current().names.get(model._meta.concrete_model, _NO_NAMES)  # type: ignore[arg-type]


def table(db_table: str) -> TrackedTable | None:
    """Return what is known of a tracked table; ``None``: its writes concern nobody."""
    return _current().tables.get(db_table)


def tables() -> Mapping[str, TrackedTable]:
    """Return all tracked tables by name."""
    return _current().tables


def name_in_tag(name: str) -> str:
    """Return the tracked table whose tags bear this name (a hash, for an unusual one); the name itself if there is none."""
    return _current().in_tags.get(name, name)


def version() -> int:
    """Return a number that has grown if the list may have changed."""
    return _version


def any_declared() -> bool:
    """Return whether this project declares anything at all; true from the first model class with one of our options on."""
    return _in_meta or _in_settings or bool(sources.registered)


def on_first(callback: Callable[[], None]) -> None:
    """Call ``callback`` once, when the first declaration appears: now, if there is one already."""
    _waiting.append(callback)
    _announce()


def register(
    model: type[Model], policy: CachePolicy | Mapping[str, Any] | None = None, *,
    ttl: float | str | datetime.timedelta | None = None, lookups: Iterable[str] = (), mode: str | None = None,
) -> CachePolicy:
    """
    Declare a model whose Meta cannot be changed; wins over its Meta, and the setting ``MODELS`` wins over this.

    :param policy: a policy or a dict; or name its parts: ``register(User, ttl="5m", lookups=["email"])``.
    :return: the policy as understood.
    :raises DeclarationError: not a concrete model, or a policy that cannot be understood.
    """
    candidate: Any = model
    if not (isinstance(candidate, type) and issubclass(candidate, Model)) or candidate._meta.abstract:
        raise DeclarationError(f"register() takes a model class with a table, not {model!r}.")
    parts = {"ttl": ttl, "lookups": lookups, "mode": mode}
    named = {name: value for name, value in parts.items() if value not in (None, ())}
    if policy is not None and named:
        raise DeclarationError(f"register({model._meta.label}) takes a policy or its parts, not both: {policy!r} and {', '.join(named)}.")
    parsed = parse(named if policy is None else policy, where=f"register({model._meta.label})")
    sources.registered[sources.concrete(model)] = parsed
    _changed()
    return parsed


def unregister(model: type[Model]) -> None:
    """Forget what ``register`` was told of the model; for tests."""
    sources.registered.pop(sources.concrete(model), None)
    _changed()


def _current() -> _tables.Snapshot:
    return _snapshot or _build()


def _build() -> _tables.Snapshot:
    global _snapshot
    if not apps.models_ready:
        return _tables.EMPTY                     # relations are not known yet, and nothing can be written through models yet
    before = _version
    built = _tables.snapshot()
    if before == _version:                       # else something was declared meanwhile: serve this one now, build anew next time
        _snapshot = built
    return built


def _changed() -> None:
    global _snapshot, _version
    _version += 1
    _snapshot = None
    _announce()


def _announce() -> None:
    while _waiting and any_declared():
        _waiting.pop(0)()


def _on_model(sender: type[Model], **kwargs: object) -> None:
    global _in_meta
    if meta.is_historical(sender):
        return
    _in_meta = _in_meta or meta.declares(sender)
    _changed()
    # The signal comes before the registry knows the class; without this a list built in between would miss it for ever.
    apps.lazy_model_operation(lambda model: _changed(), (sender._meta.app_label, sender._meta.model_name or ""))


@on_change
def _on_settings() -> None:
    global _in_settings
    _in_settings = sources.named_in_settings()
    _changed()


def _on_setting(*, setting: str, **kwargs: object) -> None:
    if setting == "INSTALLED_APPS" or setting.endswith("_MODEL"):
        _changed()


class_prepared.connect(_on_model, dispatch_uid="cache_consistency.declare.tracked")
setting_changed.connect(_on_setting, dispatch_uid="cache_consistency.declare.tracked")
# Classes that were made before this module was imported.
_in_meta = any(meta.declares(model) for models in tuple(apps.all_models.values()) for model in models.values())
_in_settings = sources.named_in_settings()
