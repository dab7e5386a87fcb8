"""The fixtures that all tests lean on: commits are real, threads and processes see them, nothing leaks into the next test."""

import subprocess
import sys
import threading

import pytest
import redis
from django.contrib.auth.models import Group
from django.core.cache import caches
from django.db import connections, transaction

from tests.databases import postgres_settings, postgres_url


def names_seen_by_a_thread(alias: str) -> list[str]:
    seen: list[str] = []

    def look() -> None:
        try:
            seen.extend(Group.objects.using(alias).values_list("name", flat=True))
        finally:
            connections.close_all()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return seen


def test_a_thread_with_a_connection_of_its_own_sees_what_is_committed_and_nothing_else(database: str) -> None:
    with transaction.atomic(using=database):
        Group.objects.using(database).create(name="inside")
        assert names_seen_by_a_thread(database) == []
    assert names_seen_by_a_thread(database) == ["inside"]


def test_the_next_test_finds_the_tables_empty(database: str) -> None:
    assert not Group.objects.using(database).exists()


def test_the_two_databases_are_different_kinds(database: str) -> None:
    assert connections[database].vendor == {"default": "sqlite", "postgres": "postgresql"}[database]


def test_a_process_sees_the_databases_and_the_redis_of_its_test(database: str, consistent: str, child_environment: dict[str, str]) -> None:
    Group.objects.using(database).create(name="from the test")
    caches[consistent].set("greeting", "from the test")
    program = (
        "import django; django.setup()\n"
        "from django.contrib.auth.models import Group; from django.core.cache import caches\n"
        f"print(Group.objects.using({database!r}).get().name, '+', caches[{consistent!r}].get('greeting'))"
    )
    done = subprocess.run([sys.executable, "-c", program], env=child_environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("from the test + from the test\n", "")


def test_redis_is_empty_when_a_test_begins(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_redis_is_empty_when_the_next_test_begins(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop:p%40ss@127.0.0.1:5433/shop",
        "postgresql://shop@/test_shop?host=/run/postgresql&port=5432",
    ],
)
def test_an_address_of_postgresql_survives_the_way_to_settings_and_back(url: str) -> None:
    settings = postgres_settings(url)
    assert postgres_settings(postgres_url(settings)) == settings
    assert settings["USER"] == "shop"
