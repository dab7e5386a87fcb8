from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from cache_consistency.declare import sources, tracked
from cache_consistency.declare.meta import install_option_names

install_option_names()


@pytest.fixture(autouse=True)
def _shop() -> Iterator[None]:
    """Install the app of these tests, and forget what a test registered."""
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "tests.declare"], CACHE_CONSISTENCY={}):
        yield
        for model in list(sources.registered):
            tracked.unregister(model)
