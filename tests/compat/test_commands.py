"""Django's commands with the app on, beside a real Redis and with Redis away."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from cache_consistency.testing.servers import free_port
from tests.compat.child import Child

TESTS = '''
from django.db import transaction
from django.test import TestCase, TransactionTestCase

from tests.compat.depot.models import Crate, Depot


class Rows:
    def test_rows(self):
        depot = Depot.objects.create(name="north")
        with transaction.atomic():
            crate = Crate.objects.create(code="c1", depot=depot)
        Crate.objects.filter(pk=crate.pk).update(weight=5)
        self.assertEqual(Crate.cached.get(code="c1").weight, 5)
        crate.delete()
        self.assertEqual(list(Crate.cached.all()), [])


class InTestCase(Rows, TestCase):
    @classmethod
    def setUpTestData(cls):
        Depot.objects.create(name="of the class")


class InTransactionTestCase(Rows, TransactionTestCase):
    fixtures = ["some"]

    def test_fixture(self):
        self.assertEqual(Depot.cached.get(pk=7).name, "of the fixture")
'''
FIXTURE = '[{"model": "depot.depot", "pk": 7, "fields": {"name": "of the fixture"}}]'


def settings(url: str) -> dict[str, Any]:
    return {
        "CACHES": {
            "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
            "consistent": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url},
        },
        "CACHE_CONSISTENCY": {"CACHE": "consistent", "QUARANTINE": 0, "MODELS": {"auth.User": {"ttl": 300}}},
        "MIGRATION_MODULES": {"depot": "depot_migrations"},
        "FIXTURE_DIRS": ["fixtures"],
    }


@pytest.fixture
def project(child: Child) -> Child:
    for name in ("depot_migrations", "small_tests"):
        (child.directory / name).mkdir()
        (child.directory / name / "__init__.py").touch()
    (child.directory / "small_tests" / "test_small.py").write_text(TESTS)
    (child.directory / "fixtures").mkdir()
    (child.directory / "fixtures" / "some.json").write_text(FIXTURE)
    return child


def run_all(project: Child, url: str) -> tuple[list[dict[str, Any]], list[int]]:
    """Run the commands in three processes, one after the other; returns what was read, and how many of the three reads were hits."""
    found = [state for step in ("prepare", "load", "flush") for state in project.run("commands", step, **settings(url))]
    return found, [state.pop("hits") for state in found]


def states() -> list[dict[str, Any]]:
    full: dict[str, Any] = {"weights": [1, 2, 3, 4, 5, 6], "first": 1, "users": ["ann"]}
    loaded = {"weights": [101, 102, 103, 104, 105, 106], "first": 101, "users": ["ann", "bob"]}
    return [full, full, full, loaded, {"weights": [], "first": None, "users": []}]


def test_commands_invalidate_what_other_processes_have_cached(project: Child, redis_url: str) -> None:
    found, hits = run_all(project, redis_url)
    assert found == states()
    assert hits == [0, 3, 3, 0, 0]
    [migration] = (project.directory / "depot_migrations").glob("0001_*.py")
    assert "cache_policy" not in migration.read_text()
    assert "cached" not in migration.read_text()


def test_commands_do_without_redis(project: Child) -> None:
    found, hits = run_all(project, f"redis://127.0.0.1:{free_port()}/0")
    assert found == states()
    assert hits == [0, 0, 0, 0, 0]


def run_suite(project: Child, url: str) -> None:
    given = {**settings(url), "MIGRATION_MODULES": {}, "CACHE_CONSISTENCY": {"CACHE": "consistent"}}
    said = project.manage("test", "small_tests", **given)
    assert "Ran 3 tests" in said
    assert "\nOK" in said


def test_a_test_suite_leaves_redis_alone(project: Child, redis_url: str) -> None:
    run_suite(project, redis_url)
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_test_suite_does_without_redis(project: Child) -> None:
    run_suite(project, f"redis://127.0.0.1:{free_port()}/0")
