"""Databases for the codecs: a SQLite file and one on the private PostgreSQL, with a table for each of `models`."""

from collections.abc import Iterator

import pytest
from django.contrib.postgres.signals import register_type_handlers
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.plugin import DjangoDbBlocker

from cache_consistency.testing.servers import PostgresServer
from tests.codecs.models import EVERYWHERE, POSTGRES_ONLY
from tests.databases import postgres_settings

SQLITE, POSTGRES = "codecs_sqlite", "codecs_postgres"


def open_alias(alias: str, **options: object) -> BaseDatabaseWrapper:
    databases = connections.configure_settings({"default": connections.settings["default"], alias: options})
    connections.settings[alias] = databases[alias]
    return connections[alias]


@pytest.fixture(scope="session")
def sqlite_alias(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    name = tmp_path_factory.mktemp("sqlite") / "codecs.sqlite3"
    with django_db_blocker.unblock():
        connection = open_alias(SQLITE, ENGINE="django.db.backends.sqlite3", NAME=str(name))
        with connection.schema_editor() as editor:
            for model in EVERYWHERE:
                editor.create_model(model)
        yield SQLITE
        connection.close()


@pytest.fixture(scope="session")
def postgres_alias(postgres_server: PostgresServer, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    with django_db_blocker.unblock():
        server = open_alias("codecs_server", **postgres_settings(postgres_server.url))
        with server.cursor() as cursor:  # a database of its own: extensions and tables of no app would surprise other tests
            cursor.execute("CREATE DATABASE codecs")
        server.close()
        connection = open_alias(POSTGRES, **{**postgres_settings(postgres_server.url), "NAME": "codecs"})
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION hstore; CREATE EXTENSION citext")
        register_type_handlers(connection)  # what django.contrib.postgres does for every connection where it is installed
        with connection.schema_editor() as editor:
            for model in EVERYWHERE + POSTGRES_ONLY:
                editor.create_model(model)
        yield POSTGRES
        connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
def alias(request: pytest.FixtureRequest) -> str:
    """Each test runs on both databases."""
    name: str = request.getfixturevalue(f"{request.param}_alias")
    return name


@pytest.fixture(autouse=True)
def _rows_are_forgotten(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Each test runs in a transaction that is rolled back."""
    names = {"alias", "sqlite_alias", "postgres_alias"} & set(request.fixturenames)
    if not names:
        yield
        return
    connection = connections[request.getfixturevalue(min(names))]
    with django_db_blocker.unblock():
        connection.set_autocommit(False)
        yield
        connection.rollback()
        connection.set_autocommit(True)
