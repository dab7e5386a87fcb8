"""
The plugin for pytest: the fixture ``cache_consistency``.

    @pytest.mark.django_db
    def test_a_price_is_fresh(cache_consistency):
        ...                                                        # reads are cached and writes invalidate, in this test only

``@pytest.mark.cache_consistency(READS="shadow")`` gives settings for one test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cache_consistency.stores import Store


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cache_consistency(**settings): settings of CACHE_CONSISTENCY for the fixture of that name")


@pytest.fixture
def cache_consistency(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Switch the app on for this test, on an empty store in memory; the value is the store."""
    from cache_consistency.testing.activation import active_cache  # Django is set up by now

    marker = request.node.get_closest_marker("cache_consistency")
    with active_cache(**(marker.kwargs if marker is not None else {})) as store:
        yield store
