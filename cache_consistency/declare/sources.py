"""
Where declarations come from, and which of them wins: the settings over ``register`` over Meta.

A declaration replaces a weaker one as a whole and is not merged with it: what is in force can be read in one place. Nothing here raises for
what somebody wrote; a declaration carries its problem, the checks report it, and until then its model is simply not cached.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from django.apps import apps
from django.conf import settings
from django.db.models import Model

from cache_consistency.conf import NAME, app_settings
from cache_consistency.declare.meta import POLICY, policy_of
from cache_consistency.declare.policy import CachePolicy, PolicyError, parse, suggestion
from cache_consistency.exceptions import DeclarationError

registered: dict[type[Model], CachePolicy] = {}
"""What ``register`` was told, by concrete model."""


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """One statement about one concrete model."""

    model: type[Model]
    source: str
    """``"settings"``, ``"register"`` or ``"Meta"``."""
    where: str
    policy: CachePolicy | None
    """``None``: caching is switched off, or the statement has a problem."""
    problem: PolicyError | None = None


def declarations() -> dict[type[Model], list[Declaration]]:
    """Return every declaration by concrete model, the one in force first."""
    found: dict[type[Model], list[Declaration]] = {}
    for declaration in [*_from_settings(), *_from_register(), *_from_meta()]:
        if not declaration.model._meta.swapped:                     # no table, hence no rows
            found.setdefault(declaration.model, []).append(declaration)
    return found


def named_in_settings() -> bool:
    """Return whether the settings declare or track anything; reads the raw dict, so that it may be asked before apps are loaded."""
    given = getattr(settings, NAME, None)
    return isinstance(given, Mapping) and bool(given.get("MODELS") or given.get("TRACK"))


def models_named(label: str) -> tuple[type[Model], ...]:
    """
    Return the concrete models that a key of ``MODELS`` means.

    ``"app.*"`` are the app's managed models; proxies are left out (they live in a table of another model), as are through models that
    Django made.

    :raises DeclarationError: no such app or model, or not a label.
    """
    app_label, dot, name = label.partition(".")
    if not dot or "." in name:
        raise DeclarationError(f"{label!r} is not a label; write 'app.Model' or 'app.*'.")
    if app_label not in apps.app_configs:
        raise DeclarationError(f"there is no app {app_label!r}. {suggestion(app_label, apps.app_configs)}")
    config = apps.get_app_config(app_label)
    if name == "*":
        return tuple(model for model in config.get_models() if model._meta.managed and not model._meta.proxy)
    try:
        return (concrete(config.get_model(name)),)
    except LookupError as error:
        known = [model.__name__ for model in config.get_models()]
        raise DeclarationError(f"app {app_label!r} has no model {name!r}. {suggestion(name, known)}") from error


def concrete(model: type[Model]) -> type[Model]:
    """Return the model whose table holds the rows: itself, or what a proxy stands for."""
    return model._meta.concrete_model or model


def _declare(model: type[Model], value: object, *, source: str, where: str) -> Declaration:
    if value is None:
        return Declaration(model, source, where, None)
    try:
        return Declaration(model, source, where, parse(value, where=where))
    except PolicyError as error:
        return Declaration(model, source, where, None, error)


def _from_settings() -> Iterator[Declaration]:
    # An exact label is closer to the model than a wildcard, so it comes first whatever the order of the dict.
    for label, value in sorted(app_settings().MODELS.items(), key=lambda item: item[0].endswith(".*")):
        try:
            models = models_named(label)
        except DeclarationError:
            continue
        for model in models:
            yield _declare(model, value, source="settings", where=f"{NAME}['MODELS'][{label!r}]")


def _from_register() -> Iterator[Declaration]:
    for model, policy in registered.items():
        yield Declaration(model, "register", f"register({model._meta.label})", policy)


def _from_meta() -> Iterator[Declaration]:
    # Proxies last: what a model's own Meta says wins over what a proxy of it says.
    for model in sorted(apps.get_models(), key=lambda model: model._meta.proxy):
        if hasattr(model._meta, POLICY):
            yield _declare(concrete(model), policy_of(model), source="Meta", where=f"{model._meta.label}: {POLICY}")
