"""
``cache_dependencies``: what is cached *about* a model goes stale with these too.

Each item is a path of relations (``"category"``, ``"supplier.country"``, ``"reviews"`` backwards by accessor or query name) or the label of
a model (``"shop.PriceList"``: any of its rows). A text whose first part names a relation or field of the model is a path; only otherwise is
it a label, so a new app can never change the meaning of a path that resolves.

Here paths are parsed, checked and resolved to models, whose tables are tracked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model

from cache_consistency.declare.meta import dependencies_of
from cache_consistency.declare.policy import suggestion
from cache_consistency.exceptions import DeclarationError


@dataclasses.dataclass(frozen=True, slots=True)
class Dependency:
    """One resolved item of ``cache_dependencies``."""

    model: type[Model]
    path: str
    reached: tuple[type[Model], ...]
    """Every model on the way, through models included, in order; the last is the target."""

    @property
    def target(self) -> type[Model]:
        return self.reached[-1]


def paths_of(model: type[Model]) -> tuple[str, ...]:
    """
    Return the paths that the model's Meta names.

    :raises DeclarationError: the option is not a list of texts.
    """
    value = dependencies_of(model)
    if isinstance(value, str):
        raise DeclarationError(f"{model._meta.label}: cache_dependencies must be a list of paths; write [{value!r}].")
    if not isinstance(value, Sequence) or not all(isinstance(path, str) for path in value):
        raise DeclarationError(f"{model._meta.label}: cache_dependencies must be a list of paths, not {value!r}.")
    return tuple(value)


def resolve(model: type[Model], path: str) -> Dependency:
    """
    Follow ``path`` from ``model``.

    :raises DeclarationError: naming the model, the path and the part that fails.
    """
    parts = path.split(".")
    if not _has(model, parts[0]) and len(parts) == 2 and parts[0] in model._meta.apps.app_configs:
        return Dependency(model, path, (_labelled(model, path),))
    reached: list[type[Model]] = []
    for part in parts:
        reached += _step(reached[-1] if reached else model, part, whole=(model, path))
    return Dependency(model, path, tuple(reached))


def reached_from(model: type[Model]) -> Iterator[type[Model]]:
    """Yield the models of all paths that resolve; what does not is the checks' business."""
    try:
        paths = paths_of(model)
    except DeclarationError:
        return
    for path in paths:
        try:
            yield from resolve(model, path).reached
        except DeclarationError:
            continue


def _labelled(model: type[Model], path: str) -> type[Model]:
    app_label, name = path.split(".")
    try:
        return model._meta.apps.get_model(app_label, name)
    except LookupError as error:
        known = [other.__name__ for other in model._meta.apps.get_app_config(app_label).get_models()]
        raise DeclarationError(
            f"{model._meta.label}: cache_dependencies path {path!r} fails at {name!r}: app {app_label!r} has no such model. "
            + suggestion(name, known)
        ) from error


def _step(model: type[Model], part: str, *, whole: tuple[type[Model], str]) -> list[type[Model]]:
    failure = f"{whole[0]._meta.label}: cache_dependencies path {whole[1]!r} fails at {part!r}: "
    found = _relation(model, part)
    if found is None:
        reason = f"{model._meta.label} has no such relation, and it is not the label of a model. "
        raise DeclarationError(failure + reason + suggestion(part, _relation_names(model)))
    related = found.related_model if found.is_relation else None
    if related is None:
        what = "a generic foreign key, whose target is not one model" if found.is_relation else "a field and not a relation"
        raise DeclarationError(f"{failure}on {model._meta.label} this is {what}.")
    if isinstance(related, str):
        raise DeclarationError(f"{failure}it points to {related!r}, which is not installed.")
    through = [_through(found)] if found.many_to_many else []
    return [*through, related]


def _has(model: type[Model], name: str) -> bool:
    return _relation(model, name) is not None


def _relation(model: type[Model], name: str) -> Any:
    """Return the field or reverse relation called ``name`` (query name or accessor), or None."""
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return next((relation for relation in model._meta.related_objects if relation.get_accessor_name() == name), None)


def _relation_names(model: type[Model]) -> list[str]:
    return [
        getattr(found, "get_accessor_name", lambda found=found: found.name)() or found.name
        for found in model._meta.get_fields() if found.is_relation and found.related_model
    ]


def _through(relation: Any) -> type[Model]:
    through: type[Model] = getattr(relation, "through", None) or relation.remote_field.through
    return through
