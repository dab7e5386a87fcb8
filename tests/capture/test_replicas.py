"""A server that follows another one: what it answers may be older than the tags say."""

import time
from collections.abc import Iterator

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper

from cache_consistency.capture import driver, state
from cache_consistency.testing.servers import PostgresServer, find_postgres
from tests.databases import postgres_settings
from tests.servers import require


@pytest.fixture
def standby() -> Iterator[PostgresServer]:
    require(find_postgres)
    with PostgresServer(fsync=False) as primary, PostgresServer("hot_standby=on", fsync=False, follows=primary) as server:
        yield server


def wrapper(url: str) -> BaseDatabaseWrapper:
    given = {**connections["default"].settings_dict, **postgres_settings(url), "OPTIONS": {}}
    return DatabaseWrapper(given, "standby")


@pytest.mark.django_db(transaction=True)
def test_the_answers_of_a_standby_are_not_stored_until_it_is_promoted(standby: PostgresServer) -> None:
    connection = wrapper(standby.url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert driver.is_replica(connection)
        assert not state.may_store(connection, ())
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_promote()")
        until = time.monotonic() + 20
        while driver.is_replica(connection) and time.monotonic() < until:
            with connection.cursor() as cursor:                     # the server tells of the change with its next answer
                cursor.execute("SELECT 1")
        assert not driver.is_replica(connection)
        assert state.may_store(connection, ())
    finally:
        connection.close()
