"""
Our two options of ``class Meta``: ``cache_policy`` and ``cache_dependencies``.

Django reads the module global ``options.DEFAULT_NAMES`` whenever a model class is made, so adding two names to it is all that is needed.
Inheritance is Django's own: an abstract parent passes them on when the child has no Meta or ``class Meta(Base.Meta)``.

Migrations must not see them. ``migrations.state`` imports the tuple *by name*, so what it looks for depends on who imported it first. A
``class_prepared`` receiver therefore takes both names out of ``original_attrs``, the dict that migrations copy options from: then either
import order is blind. This is the one thing of Django that is replaced outside ``capture/hooks/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models import Model, options
from django.db.models.signals import class_prepared

POLICY, DEPENDENCIES = "cache_policy", "cache_dependencies"
OPTION_NAMES = (POLICY, DEPENDENCIES)


def install_option_names() -> None:
    """Teach ``class Meta`` our options. Idempotent; call it while ``apps.py`` is imported, before any module of models is."""
    options.DEFAULT_NAMES = (*options.DEFAULT_NAMES, *(name for name in OPTION_NAMES if name not in options.DEFAULT_NAMES))
    class_prepared.connect(_hide_from_migrations, dispatch_uid="cache_consistency.declare.meta")


def policy_of(model: type[Model]) -> Any:
    """Return ``Meta.cache_policy`` as it was written, unparsed; ``None`` if there is none or the model says ``None``."""
    return getattr(model._meta, POLICY, None)


def dependencies_of(model: type[Model]) -> Any:
    """Return ``Meta.cache_dependencies`` as it was written, unparsed; ``()`` if there are none."""
    return getattr(model._meta, DEPENDENCIES, None) or ()


def declares(model: type[Model]) -> bool:
    return policy_of(model) is not None or bool(dependencies_of(model))


def is_historical(model: type[Model]) -> bool:
    """Return whether ``model`` belongs to another registry than the project's: migrations' states, isolated tests."""
    return model._meta.apps is not apps


def abstract_parents(model: type[Model]) -> Iterator[type[Model]]:
    """Yield the abstract models that ``model`` inherits from without a concrete model in between, nearest first."""
    for base in model.__bases__:
        if hasattr(base, "_meta") and base._meta.abstract:
            yield base
            yield from abstract_parents(base)


def dropped_policy(model: type[Model]) -> type[Model] | None:
    """Return the abstract parent whose policy the model's own Meta dropped without saying ``cache_policy = None``."""
    if hasattr(model._meta, POLICY) or model._meta.proxy:
        return None
    return next((base for base in abstract_parents(model) if policy_of(base) is not None), None)


def _hide_from_migrations(sender: type[Model], **kwargs: object) -> None:
    for name in OPTION_NAMES:
        sender._meta.original_attrs.pop(name, None)
