"""An empty database of each kind, and processes that run a small project on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.compat.child import Child
from tests.databases import postgres_settings

_numbers = itertools.count(1)
KINDS = ("sqlite", "postgres")


@pytest.fixture(scope="module")
def new_child(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Child]:
    """Return a maker of children, each with a directory and an empty database of the given kind of its own."""

    def make(kind: str) -> Child:
        directory = tmp_path_factory.mktemp("project")
        database = _sqlite(directory) if kind == "sqlite" else _postgres(request.getfixturevalue("postgres_server"))
        return Child(database, directory)
    return make


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def child(kind: str, new_child: Callable[[str], Child]) -> Child:
    return new_child(kind)


def _sqlite(directory: Path) -> dict[str, Any]:
    # Processes end by themselves here, never the machine; a commit that waits for the disk would only make them slow.
    options = {"init_command": "PRAGMA synchronous=OFF"}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "db.sqlite3"), "OPTIONS": options}


def _postgres(server: Any) -> dict[str, Any]:
    name = f"compat_{next(_numbers)}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return {**postgres_settings(server.url), "NAME": name}
