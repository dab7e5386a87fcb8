"""Checks of policies and dependencies, wherever they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage
from django.db.models import Model

from cache_consistency.conf import NAME, app_settings
from cache_consistency.declare import dependencies, lookups, meta, sources, tables
from cache_consistency.declare.checks.catalogue import finding
from cache_consistency.declare.lookups import AnyField, NoColumn
from cache_consistency.declare.policy import BUILT_MODES, KEYS, CachePolicy, PolicyError
from cache_consistency.declare.sources import Declaration
from cache_consistency.exceptions import DeclarationError

_INEXACT = {
    "BinaryField", "DateTimeField", "FloatField", "JSONField", "DurationField", "TimeField", "ArrayField", "HStoreField",
    "SearchVectorField", "IntegerRangeField", "BigIntegerRangeField", "DecimalRangeField", "DateTimeRangeField", "DateRangeField",
}
"""Internal types whose equality is the database's business, so that no tag can be named after a value."""

_HINTS = {
    "": "Write a dict such as {'ttl': '10m', 'lookups': ['category']}, a CachePolicy(...), or None to cache nothing.",
    "?": f"Known keys: {', '.join(KEYS)}.",
    "ttl": "Write seconds, a timedelta, or a text such as '10m' or '1h30m'.",
    "lookups": "Write a list with the names of concrete fields; the pk and unique fields need not be named.",
    "mode": f"Available in this release: {', '.join(BUILT_MODES)}.",
}
_NUMBERS = {"": "E020", "?": "E021", "ttl": "E022", "lookups": "E023", "mode": "E024"}


def check_declarations(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E020 to W038: each policy by itself, and whether it is the one that its author believes to be in force."""
    return [*_settings_mode(), *_labels(), *_of_models(app_configs), *_dropped(app_configs)]


def check_dependencies(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E040, E041: ``cache_dependencies`` that are no paths, or lead nowhere."""
    return [message for model in _models(app_configs) for message in _paths(model)]


def _models(app_configs: Sequence[AppConfig] | None) -> Iterator[type[Model]]:
    for config in apps.get_app_configs() if app_configs is None else app_configs:
        yield from config.get_models()


def _of_models(app_configs: Sequence[AppConfig] | None) -> Iterator[CheckMessage]:
    asked = None if app_configs is None else {config.label for config in app_configs}
    for model, said in sources.declarations().items():
        if asked is not None and model._meta.app_label not in asked:
            continue
        for declaration in said:
            if declaration.problem is not None:
                yield _misunderstood(model, declaration.problem)
            if declaration.policy is not None:
                yield from _lookups(declaration, declaration.policy)
                yield from _mode(declaration, declaration.policy)
        yield from _contradictions(model, said)
        if said[0].policy is not None:
            yield from _rows(model)
            yield from _unmanaged(model, said[0])


def _misunderstood(model: type[Model], problem: PolicyError) -> CheckMessage:
    hint = f"{_HINTS[problem.key]} Until then the model is not cached."
    return finding(_NUMBERS[problem.key], str(problem), hint=hint, obj=model)


def _lookups(declaration: Declaration, policy: CachePolicy) -> Iterator[CheckMessage]:
    for name in policy.lookups:
        begin = f"{declaration.where}: the lookup "
        try:
            field = lookups.resolve(declaration.model, name)
        except NoColumn as error:
            hint = "Look up by a concrete field; a relation is read through the queryset of the other side."
            yield finding("E026", begin + str(error), hint=hint, obj=declaration.model)
        except DeclarationError as error:
            yield finding("E025", begin + str(error), hint="Name a concrete field of the model.", obj=declaration.model)
        else:
            yield from _inexact(declaration, name, field)


def _inexact(declaration: Declaration, name: str, field: AnyField) -> Iterator[CheckMessage]:
    compared = getattr(field, "target_field", field)
    if compared.get_internal_type() in _INEXACT or getattr(compared, "base_field", None) is not None:
        kind = type(compared).__name__
        yield finding(
            "W027", f"{declaration.where}: the lookup {name!r} is a {kind}, whose equality is the database's business: what is read by it "
            "goes stale with every write to the table.",
            hint="Take it out of lookups; reads by it work without, and writes become cheaper.", obj=declaration.model,
        )


def _mode(declaration: Declaration, policy: CachePolicy) -> Iterator[CheckMessage]:
    if policy.named_mode is not None:
        yield from _not_built(policy.named_mode, declaration.where, declaration.model)


def _settings_mode() -> Iterator[CheckMessage]:
    yield from _not_built(app_settings().MODE, f"{NAME}['MODE']", None)


def _not_built(mode: str, where: str, obj: object) -> Iterator[CheckMessage]:
    if mode in BUILT_MODES:
        return
    less = mode == "strict"
    yield finding(
        "E028" if less else "W029",
        f"{where}: the mode {mode!r} is not available in this release; reads are 'fresh', which promises {'less' if less else 'more'}.",
        hint="Write 'fresh' and read what it promises, or do not cache this model." if less else "Write 'fresh', or leave the mode away.",
        obj=obj,
    )


def _contradictions(model: type[Model], said: list[Declaration]) -> Iterator[CheckMessage]:
    first = said[0]
    # 1. An explicit None is somebody's decision; 2. inside the settings an exact label is meant to differ from 'app.*'.
    others = [other for other in said[1:] if other.source != first.source and other.problem is None]
    for other in others if first.policy is not None else []:
        if other.policy != first.policy:
            yield finding(
                "W031", f"{model._meta.label} has two policies: {first.where} ({first.policy!r}) is in force, {other.where} "
                f"({other.policy!r}) is not.",
                hint="Keep one. The settings win over register(), which wins over Meta.", obj=model,
            )


def _rows(model: type[Model]) -> Iterator[CheckMessage]:
    from cache_consistency.codecs import rows

    for name, reason in rows.problems(model):
        where = f"{model._meta.label}.{name}" if name else model._meta.label
        yield finding("E032", f"{where} cannot be cached: {reason}.", hint="Change the field, or take the policy away.", obj=model)


def _unmanaged(model: type[Model], declaration: Declaration) -> Iterator[CheckMessage]:
    if not model._meta.managed:
        yield finding(
            "W033", f"{declaration.where}: {model._meta.label} is not managed. If {model._meta.db_table!r} is a view, writes to the tables "
            "below it are not seen and entries go stale.",
            hint="Take the policy away if it is a view; silence this check if it is a table that Django writes to.", obj=model,
        )


def _dropped(app_configs: Sequence[AppConfig] | None) -> Iterator[CheckMessage]:
    said = sources.declarations()
    for model in _models(app_configs):
        parent = meta.dropped_policy(model)
        if parent is not None and model not in said:
            yield finding(
                "W030", f"{model._meta.label} does not have the policy of its abstract parent {parent.__name__}: a Meta of its own, or of "
                "another parent, replaces it.",
                hint=f"Write class Meta({parent.__name__}.Meta), or cache_policy = None if the model is not to be cached.", obj=model,
            )
        if model._meta.proxy and meta.policy_of(model) is not None:
            owner = sources.concrete(model)._meta.label
            yield finding(
                "W034", f"{model._meta.label} is a proxy: its cache_policy acts for {owner}, unless that says otherwise.",
                hint=f"Write the policy into the Meta of {owner}.", obj=model,
            )


def _labels() -> Iterator[CheckMessage]:
    for label in app_settings().MODELS:
        where = f"{NAME}['MODELS'][{label!r}]"
        try:
            models = sources.models_named(label)
        except DeclarationError as error:
            yield finding("E035", f"{where}: {error}", hint="Name an installed model as 'app.Model', or all models of an app as 'app.*'.")
            continue
        swapped: Any = next((model._meta.swapped for model in models if model._meta.swapped), None)
        if swapped:
            yield finding("E038", f"{where}: the model is swapped for {swapped} and has no table.", hint=f"Name {swapped!r}.")
    for name in app_settings().TRACK:
        yield from _tracked(name, f"{NAME}['TRACK']: {name!r}")


def _tracked(name: str, where: str) -> Iterator[CheckMessage]:
    try:
        named = tables.tables_named(name)
    except DeclarationError as error:
        yield finding("E036", f"{where}: {error}", hint="Name a model as 'app.Model', or a table as it is called in the database.")
        return
    known = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    if not known.issuperset(named):
        yield finding(
            "W037", f"{where} is the table of no model: only raw SQL that names it is seen.",
            hint="Correct the name; if it is right, silence this check.",
        )


def _paths(model: type[Model]) -> Iterator[CheckMessage]:
    try:
        paths = dependencies.paths_of(model)
    except DeclarationError as error:
        yield finding("E040", str(error), hint="Write a list such as ['category', 'supplier.country', 'shop.PriceList'].", obj=model)
        return
    for path in paths:
        try:
            dependencies.resolve(model, path)
        except DeclarationError as error:
            hint = "Write names of relations joined by dots, or the label of a model ('app.Model')."
            yield finding("E041", str(error), hint=hint, obj=model)
