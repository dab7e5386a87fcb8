"""Which database a tag speaks of."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from cache_consistency.capture.identity import database_identity
from cache_consistency.capture.tagging import table_tags


def sqlite(name: Path | str) -> DatabaseWrapper:
    return DatabaseWrapper({**connections["default"].settings_dict, "NAME": str(name), "OPTIONS": {}}, alias="extra")


def test_it_is_the_same_for_every_connection_of_a_database(connection: Any, database: str) -> None:
    other = connections.create_connection(database)
    assert re.fullmatch(r"[0-9a-f]{16}", database_identity(connection))
    assert database_identity(other) == database_identity(connection)
    other.close()


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_two_databases_never_share_a_tag() -> None:
    assert table_tags(connections["default"], "a").any != table_tags(connections["other"], "a").any


@pytest.mark.django_db(transaction=True)
def test_a_new_file_under_an_old_name_is_another_database(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    first = sqlite(path)
    first.cursor().execute("CREATE TABLE a (id integer)")
    before = database_identity(first)
    link = tmp_path / "link.sqlite3"
    link.symlink_to(path)
    second = sqlite(link)
    assert database_identity(second) == before
    first.close()
    second.close()
    path.rename(tmp_path / "old.sqlite3")
    third = sqlite(path)
    assert database_identity(third) != before
    third.close()


def test_memory_is_known_to_nobody_else() -> None:
    first, second = sqlite(":memory:"), sqlite(":memory:")
    assert database_identity(first) == database_identity(first)
    assert database_identity(first) != database_identity(second)
    shared = "file:memorydb_x?mode=memory&cache=shared"
    assert database_identity(sqlite(shared)) == database_identity(sqlite(shared))


def test_a_name_that_was_given_wins(settings: Any) -> None:
    settings.CACHE_CONSISTENCY = {"DATABASE_IDENTITY": {"extra": "shop"}}
    first, second = database_identity(sqlite("/a")), database_identity(sqlite("/b"))
    assert first == second
    settings.CACHE_CONSISTENCY = {"DATABASE_IDENTITY": lambda connection: connection.settings_dict["NAME"]}
    assert database_identity(sqlite("/a")) != database_identity(sqlite("/b")) != first


def test_vary_and_namespace_are_parts_of_every_tag(settings: Any) -> None:
    connection = sqlite(":memory:")
    plain = table_tags(connection, "a")
    tenants = ["one"]
    settings.CACHE_CONSISTENCY = {"VARY": lambda connection: tenants[0], "NAMESPACE": "mine"}
    one = table_tags(connection, "a")
    assert one.any.startswith("mine:t:")
    assert ".one.a:" in one.any
    tenants[0] = "two"
    assert len({plain.any, one.any, table_tags(connection, "a").any}) == 3
