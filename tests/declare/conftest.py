from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from cache_consistency import conf
from cache_consistency.declare import sources, tracked
from cache_consistency.declare.meta import install_option_names

install_option_names()


@pytest.fixture(autouse=True)
def _nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the hooks out: what these tests declare and switch on shall not change Django for the rest of the run."""
    listeners = [listener for listener in conf._listeners if listener.__module__ != "cache_consistency.apps"]
    monkeypatch.setattr(conf, "_listeners", listeners)


@pytest.fixture(autouse=True)
def _shop(_nothing_is_replaced: None) -> Iterator[None]:
    """Install the app of these tests, and forget what a test registered."""
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "tests.declare"], CACHE_CONSISTENCY={}):
        yield
        for model in list(sources.registered):
            tracked.unregister(model)
