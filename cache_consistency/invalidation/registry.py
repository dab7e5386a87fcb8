"""
The invalidation registry: rules that say what else goes stale when an instance changes.

The database's own writes are captured below (``capture/``); a rule is for what no SQL shows: a price list kept in a file that belongs to a
supplier, a report about a customer. It is fed by Django's model signals, and returns further things to invalidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db.models import Model

Rule = Callable[..., Iterable[Any] | None]
"""``rule(instance, *, action, using) -> instances, models, "app.Model:pk" labels or tags; or None``"""
AnyRule = TypeVar("AnyRule", bound=Rule)

ACTIONS = ("save", "delete", "m2m")


class Registry:
    """Rules by model."""

    def __init__(self) -> None:
        self._rules: dict[type[Model], list[Rule]] = {}
        self._connect: Callable[[type[Model]], None] = _not_connected

    def on_register(self, connect: Callable[[type[Model]], None]) -> None:
        """Have ``connect`` called with each model that gets its first rule, and now for those that have one."""
        self._connect = connect
        for model in self._rules:
            connect(model)

    def add(self, model: type[Model], rule: Rule) -> None:
        """Call ``rule`` whenever an instance of ``model`` is saved, deleted, or has its m2m relations changed."""
        rules = self._rules.setdefault(model._meta.concrete_model or model, [])
        if rule not in rules:
            rules.append(rule)
        self._connect(model)

    def remove(self, model: type[Model], rule: Rule) -> None:
        """Forget a rule; unknown ones are ignored."""
        rules = self._rules.get(model._meta.concrete_model or model, [])
        if rule in rules:
            rules.remove(rule)

    def has_rules(self, model: type[Model]) -> bool:
        return any(issubclass(model, ruled) for ruled, rules in self._rules.items() if rules)

    def consequences(self, instance: Model, *, action: str, using: str) -> list[Any]:
        """Return everything the rules want invalidated because of ``instance``."""
        wanted: list[Any] = []
        for ruled, rules in self._rules.items():
            if isinstance(instance, ruled):                         # its own rules, and those of its multi-table parents
                for rule in tuple(rules):
                    wanted.extend(rule(instance, action=action, using=using) or ())
        return wanted


def _not_connected(model: type[Model]) -> None:
    """Before the app is ready rules are only remembered."""


registry = Registry()


def invalidates(model: type[Model]) -> Callable[[AnyRule], AnyRule]:
    """
    Register a rule: ``@invalidates(Supplier)`` above ``def rule(supplier, *, action, using): return [supplier.price_list]``.

    :return: the function itself, unchanged.
    """
    def register(rule: AnyRule) -> AnyRule:
        registry.add(model, rule)
        return rule
    return register
