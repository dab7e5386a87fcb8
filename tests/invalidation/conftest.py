from collections.abc import Iterator
from typing import Any

import pytest

from cache_consistency.invalidation.registry import registry
from tests.reading.conftest import alias, desk, make_desk

__all__ = ["alias", "desk", "make_desk"]


@pytest.fixture
def rules() -> Iterator[Any]:
    """Register rules that are forgotten after the test, with the receivers they brought."""
    from django.apps import apps
    from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

    from cache_consistency.invalidation.receivers import _UID

    added: list[tuple[Any, Any]] = []

    def add(model: Any, rule: Any) -> None:
        registry.add(model, rule)
        added.append((model, rule))

    yield add
    for model, rule in added:
        registry.remove(model, rule)
    for model in apps.get_models(include_auto_created=True):
        for signal in (pre_save, post_save, pre_delete, post_delete, m2m_changed):
            signal.disconnect(sender=model, dispatch_uid=_UID)
