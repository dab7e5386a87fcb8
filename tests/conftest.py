"""
Servers and databases that tests ask for by name; each is private, starts when first asked for, and ends with the session.

========================  ============================================================================================================
``database``              alias of a database on which commits are real: runs the test on SQLite, then on PostgreSQL
``postgres_server``       the private PostgreSQL; its alias is ``postgres``
``redis_server``          a private redis-server; restart and stop it only in a test that has one of its own
``redis_url``             its address, emptied before the test
``consistent``            alias in ``CACHES`` of a django-redis cache on that server
``child_environment``     environment for a Python process that shall see the databases and the Redis of this test
========================  ============================================================================================================

A server that cannot be had skips the test with a line at the end of the run, and fails it when ``CI=true``.
"""

import collections
import os
from collections.abc import Iterator

import pytest
import redis
from django.db import connections
from pytest_django import Settings

from cache_consistency.testing.plugin import cache_consistency as cache_consistency  # an uninstalled checkout has no entry points
from cache_consistency.testing.servers import PostgresServer, RedisServer, find_postgres, find_redis_server
from tests.databases import postgres_settings, postgres_url
from tests.servers import require

POSTGRES = "postgres"
NOT_HERE = "apt-get install"
"""What each reason for a missing server says; `tests/servers.py` has the texts."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each missing server how many tests it cost; among hundreds of dots a skip is easily overlooked."""
    counts = collections.Counter(
        report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()) if isinstance(report.longrepr, tuple)
    )
    for reason, count in counts.items():
        if NOT_HERE in reason:
            terminalreporter.section("not tested here", sep="!", red=True)
            terminalreporter.line(f"{count} tests were skipped, {reason.removeprefix('Skipped: ')}", red=True)


def pytest_collection_modifyitems() -> None:
    """Switch the rule off that ``python -m tests.mutants`` wants to see missed."""
    if mutant := os.environ.get("CACHE_CONSISTENCY_MUTANT"):
        from tests.mutants import switch_off

        switch_off(mutant)


def asks_for_postgres(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    return marker is not None and POSTGRES in (marker.kwargs.get("databases") or ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if asks_for_postgres(item) and POSTGRES not in connections.settings:
        require(find_postgres)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    require(find_postgres)
    # Tests end processes, never the machine; a commit that waits for the disk would only make them slow.
    with PostgresServer("max_connections=60", fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, request: pytest.FixtureRequest) -> None:
    """Add the alias ``postgres`` before the session's databases are made, if any collected test asks for it and there is a server."""
    wanted = any(map(asks_for_postgres, request.session.items))
    if wanted and POSTGRES not in connections.settings and find_postgres():
        server: PostgresServer = request.getfixturevalue("postgres_server")
        connections.settings[POSTGRES] = postgres_settings(server.url)
        connections.configure_settings(connections.settings)


@pytest.fixture(
    params=[
        pytest.param("default", id="sqlite", marks=pytest.mark.django_db(transaction=True, databases=["default", "other"])),
        pytest.param(POSTGRES, id="postgres", marks=pytest.mark.django_db(transaction=True, databases=[POSTGRES, "default", "other"])),
    ]
)
def database(request: pytest.FixtureRequest) -> str:
    """
    The alias to use: ``Model.objects.using(database)``, ``atomic(using=database)``.

    Commits are real and tables are emptied after the test. A test that asks for it has no ``django_db`` mark of its own.
    """
    alias: str = request.param
    return alias


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    require(find_redis_server)
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def consistent(redis_url: str, settings: Settings) -> str:
    alias = "consistent"
    settings.CACHES = {**settings.CACHES, alias: {**settings.CACHES[alias], "LOCATION": redis_url}}
    return alias


@pytest.fixture
def child_environment(request: pytest.FixtureRequest) -> dict[str, str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    for alias in ("default", "other"):
        environment[f"CACHE_CONSISTENCY_TEST_SQLITE_{alias.upper()}"] = str(connections[alias].settings_dict["NAME"])
    if POSTGRES in connections.settings:
        environment["CACHE_CONSISTENCY_TEST_DATABASE_URL"] = postgres_url(connections[POSTGRES].settings_dict)
    if "redis_url" in request.fixturenames:
        environment["CACHE_CONSISTENCY_TEST_REDIS_URL"] = request.getfixturevalue("redis_url")
    return environment
