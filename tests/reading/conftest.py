from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pytest_django import Settings

from cache_consistency import events, stores
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.stores import MemoryStore
from cache_consistency.testing.activation import active_cache
from cache_consistency.testing.servers import find_redis_server
from tests.conftest import POSTGRES
from tests.reading.desk import Desk
from tests.shelf.fixtures import make_stage, stage

__all__ = ["make_stage", "stage"]


ON_SQLITE = pytest.param("default", id="sqlite", marks=pytest.mark.django_db(transaction=True, databases=["default"]))
ON_POSTGRES = pytest.param(POSTGRES, id="postgres", marks=pytest.mark.django_db(transaction=True, databases=[POSTGRES]))


@pytest.fixture(params=[ON_SQLITE, ON_POSTGRES])
def alias(request: pytest.FixtureRequest) -> str:
    """The one database of the test, with real commits."""
    name: str = request.param
    return name


@pytest.fixture
def make_desk(alias: str, request: pytest.FixtureRequest, settings: Settings) -> Iterator[Callable[..., Desk]]:
    """Make a desk with the given settings; without ``store`` in memory on SQLite, and on PostgreSQL in a redis-server if there is one."""
    usual = "redis" if alias == POSTGRES and find_redis_server() else "memory"
    with ExitStack() as stack:
        def make(*, store: str = usual, **given: Any) -> Desk:
            made = MemoryStore(Keyspace("reading")) if store == "memory" else _redis_store(request, settings)
            inside = stack.enter_context(active_cache(made, **given))
            events.reset()
            return Desk(alias, inside)
        yield make


def _redis_store(request: pytest.FixtureRequest, settings: Settings) -> Any:
    settings.CACHE_CONSISTENCY = {"CACHE": request.getfixturevalue("consistent"), "QUARANTINE": 0, "TIMEOUT": 2, "NAMESPACE": "reading"}
    store = stores.current()
    assert store is not None, stores.problems()
    return store


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()
