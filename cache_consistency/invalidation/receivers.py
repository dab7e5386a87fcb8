"""
Receivers: Django's model signals feed the registry.

They are connected for models that have a rule (with their proxies and multi-table children, which send signals of their own) and for no
other: a receiver costs every save, and one of ``post_delete`` turns Django's fast deletes off. A rule is asked twice, before and after,
since it may look at what the save changes. In a transaction its tags are marked and resolved with the transaction's own; in autocommit
they get new versions before ``save()`` returns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import connections
from django.db.models import Model
from django.db.models.signals import ModelSignal, m2m_changed, post_delete, post_save, pre_delete, pre_save

from cache_consistency import switches
from cache_consistency.capture import state
from cache_consistency.invalidation.registry import registry
from cache_consistency.invalidation.service import renew
from cache_consistency.invalidation.targets import tags_of
from cache_consistency.protocol.tags import Tag

_UID = "cache_consistency.registry"


def connect(model: type[Model]) -> None:
    """Connect the receivers for one model and what is derived from it; doing it twice changes nothing."""
    for kind in (model, *(other for other in apps.get_models() if issubclass(other, model) and other is not model)):
        for signal, receiver in _RECEIVERS:
            signal.connect(receiver, sender=kind, dispatch_uid=_UID)
    for through in _throughs(model):
        m2m_changed.connect(after_m2m, sender=through, dispatch_uid=_UID)


def _throughs(model: type[Model]) -> Iterable[Any]:
    """Yield the through model of each many-to-many relation, declared here or on the other side."""
    yield from (field.remote_field.through for field in model._meta.many_to_many)
    yield from (relation.through for relation in model._meta.related_objects if relation.many_to_many)      # type: ignore[attr-defined]


def before_save(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Ask the rules about the old state, while the database still has it."""
    if switches.active() and instance.pk is not None:
        _keep(instance, _asked([instance], action="save", using=using), using=using)


def after_save(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    if switches.active():
        _act(instance, _asked([instance], action="save", using=using), using=using)


def before_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    if switches.active():
        _keep(instance, _asked([instance], action="delete", using=using), using=using)


def after_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    if switches.active():
        _act(instance, _asked([instance], action="delete", using=using), using=using)


def after_m2m(
    sender: type[Model], instance: Model, action: str, reverse: bool, model: type[Model], pk_set: set[Any] | None, using: str,  # noqa: FBT001
    **kwargs: Any,
) -> None:
    """Ask the rules of both sides; when everything is cleared, what the far side was is only known before."""
    if not switches.active():
        return
    concerned = [instance, *_far_side(sender, instance, model, pk_set, reverse=reverse, using=using)]
    tags = _asked(concerned, action="m2m", using=using)
    if action.startswith("pre_"):
        _keep(instance, tags, using=using)
    else:
        _act(instance, tags, using=using)


_RECEIVERS: tuple[tuple[ModelSignal, Any], ...] = (
    (pre_save, before_save), (post_save, after_save), (pre_delete, before_delete), (post_delete, after_delete),
)  # fmt: skip


def _far_side(
    through: Any, instance: Model, model: type[Model], pks: set[Any] | None, *, reverse: bool, using: str
) -> Iterable[Model]:
    """
    Return the instances of ``model`` that are being related to ``instance``, if somebody made rules for them.

    :param pks: None: everything that is related now (``clear()``).
    :param reverse: whether the relation is declared on ``model``, and not on the instance's own.
    """
    if not registry.has_rules(model):
        return ()
    if pks is None:
        declaring: Any = model if reverse else type(instance)
        pks = set()
        for field in declaring._meta.many_to_many:
            if field.remote_field.through is through:               # types alone do not tell the ends of a relation to itself apart
                near, far = field.m2m_field_name(), field.m2m_reverse_field_name()
                if reverse:
                    near, far = far, near
                rows = through._base_manager.using(using).filter(**{near: instance})
                pks.update(rows.values_list(f"{far}__pk", flat=True))
    return model._base_manager.using(using).filter(pk__in=pks)


def _asked(instances: Iterable[Model], *, action: str, using: str) -> tuple[Tag, ...]:
    wanted = [target for instance in instances for target in registry.consequences(instance, action=action, using=using)]
    return tags_of(wanted, using=using)


def _keep(instance: Model, tags: tuple[Tag, ...], *, using: str) -> None:
    """Keep what the rules said before, for the commit; in autocommit, for the renewal that follows the statement."""
    connection = connections[using]
    if state.in_transaction(connection):
        state.touch(connection, tags, ())
    else:
        instance._state.cc_before = tags                            # type: ignore[attr-defined]  # lives as long as the instance


def _act(instance: Model, tags: tuple[Tag, ...], *, using: str) -> None:
    connection, before = connections[using], instance._state.__dict__.pop("cc_before", ())
    if state.in_transaction(connection):
        state.touch(connection, (*before, *tags), ())
    else:
        renew((*before, *tags), reason="rule", using=using)
