"""The shop under the settings of the tests: its pages and switches from its own settings, its caches in memory."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from example_project import settings as shop
from example_project.accounts import legacy_cache as accounts_cache
from example_project.catalog import legacy_cache as catalog_cache
from example_project.orders import legacy_cache as orders_cache

LEGACY = (accounts_cache, catalog_cache, orders_cache)
OF_THE_SHOP = ("ROOT_URLCONF", "TEMPLATES", "MIDDLEWARE", "LOGIN_URL", "LOGIN_REDIRECT_URL", "LOGOUT_REDIRECT_URL", "STATICFILES_DIRS")


@pytest.fixture
def mode(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    """The read mode under test; parametrize it indirectly. The default cache belongs to one test."""
    for name in OF_THE_SHOP:
        setattr(settings, name, getattr(shop, name))
    chosen: str = getattr(request, "param", "off")
    settings.SHOP_CACHE = chosen
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": request.node.nodeid}}
    cache.clear()
    connected = LEGACY if chosen == "naive" else ()
    for legacy in connected:
        legacy.connect()
    yield chosen
    for legacy in connected:
        legacy.disconnect()
