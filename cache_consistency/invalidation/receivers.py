"""
Receivers: Django's model signals feed the registry.

They are connected for models that have a rule, and for no other: a receiver costs every save, and one of ``post_delete`` turns Django's
fast deletes off. A rule is asked twice, before and after, since it may look at what the save changes. In a transaction its tags are marked
and resolved with the transaction's own; in autocommit they get new versions before ``save()`` returns.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from cache_consistency import switches
from cache_consistency.capture import state
from cache_consistency.invalidation.registry import registry
from cache_consistency.invalidation.service import renew
from cache_consistency.invalidation.targets import tags_of

_UID = "cache_consistency.registry"


def connect(model: type[Model]) -> None:
    """Connect the receivers for one model; doing it twice changes nothing."""
    for signal, receiver in ((pre_save, before), (post_save, after_save), (pre_delete, before), (post_delete, after_delete)):
        signal.connect(receiver, sender=model, dispatch_uid=_UID)
    for field in model._meta.many_to_many:
        m2m_changed.connect(after_m2m, sender=field.remote_field.through, dispatch_uid=_UID)


def before(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Ask the rules about the old state, while the database still has it."""
    if switches.active():
        _collect(instance, action="save", using=using)


def after_save(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    _feed(instance, action="save", using=using)


def after_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    _feed(instance, action="delete", using=using)


def after_m2m(sender: type[Model], instance: Model, action: str, using: str, **kwargs: Any) -> None:
    if action.startswith("pre_"):
        if switches.active():
            _collect(instance, action="m2m", using=using)
    else:
        _feed(instance, action="m2m", using=using)


def _collect(instance: Model, *, action: str, using: str) -> None:
    """Keep what the rules say for the commit; in autocommit, for the renewal that follows the statement."""
    tags = tags_of(registry.consequences(instance, action=action, using=using), using=using)
    connection = connections[using]
    if state.in_transaction(connection):
        state.touch(connection, tags, ())
    else:
        instance._state.cc_before = tags                            # type: ignore[attr-defined]  # lives as long as the instance


def _feed(instance: Model, *, action: str, using: str) -> None:
    if not switches.active():
        return
    if state.in_transaction(connections[using]):
        _collect(instance, action=action, using=using)
        return
    before = instance._state.__dict__.pop("cc_before", ())
    now = tags_of(registry.consequences(instance, action=action, using=using), using=using)
    renew((*before, *now), reason="rule", using=using)
