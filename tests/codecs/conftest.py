"""Databases for the codecs: a SQLite file and a private PostgreSQL, with a table for each of `models`."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.postgres.signals import register_type_handlers
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.plugin import DjangoDbBlocker

from tests.codecs.models import EVERYWHERE, POSTGRES_ONLY

SQLITE, POSTGRES = "codecs_sqlite", "codecs_postgres"


@pytest.fixture(scope="session")
def postgres_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the socket of a private server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    program = shutil.which("postgres") or (str(found[-1]) if found else None)
    if program is None:
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("pg")
    unprivileged: dict[str, Any] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        for path in (folder, *folder.parents[:2]):
            path.chmod(0o777)
        unprivileged = {"user": "nobody", "extra_groups": []}
    bin_folder = Path(program).parent
    data = str(folder / "data")
    command = [str(bin_folder / "initdb"), "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder, **unprivileged)
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    control = [str(bin_folder / "pg_ctl"), "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", str(folder / "log"), "-o", options, "start"], check=True, capture_output=True, cwd=folder, **unprivileged
    )
    yield folder
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=folder, **unprivileged)


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
def postgres_alias(postgres_folder: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    with django_db_blocker.unblock():
        connection = open_alias(POSTGRES, ENGINE="django.db.backends.postgresql", NAME="postgres", USER="tester", HOST=str(postgres_folder))
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
