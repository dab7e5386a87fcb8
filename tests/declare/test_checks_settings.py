from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.test import override_settings

from cache_consistency.declare.checks.settings import check_databases, check_settings
from tests.declare.checking import found

POSTGRES = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "db.example.com", "USER": "shop"}


def test_settings_that_are_right_are_not_mentioned() -> None:
    assert found(check_settings, {"CACHE": "default", "TTL": "1h", "MARK_TTL": 5}) == {}


def test_an_unknown_setting_is_told_with_the_one_that_is_meant() -> None:
    message = found(check_settings, {"NAMSPACE": "x"})["E001"]
    assert "'NAMSPACE'" in message.msg
    assert "Did you mean 'NAMESPACE'?" in str(message.hint)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"TTL": "soon"}, "'TTL'"), ({"READS": "maybe"}, "'READS'"), ({"MODELS": ["shop.Product"]}, "'MODELS'"),
        ({"VARY": "no.such.callable"}, "'VARY'"), ({"MODE": "fersh"}, "'MODE'"), ({"TRACK": "shop.Product"}, "'TRACK'"),
        ([], "CACHE_CONSISTENCY must be a dict"),
    ],
)
def test_a_setting_of_a_wrong_type_is_told_with_what_it_holds(given: Any, part: str) -> None:
    assert part in found(check_settings, given)["E002"].msg


def test_a_quarantine_shorter_than_a_mark_is_an_error() -> None:
    assert "(1 s)" in found(check_settings, {"QUARANTINE": 1, "MARK_TTL": 10})["E013"].msg
    assert found(check_settings, {"QUARANTINE": 10, "MARK_TTL": 10}) == {}


def test_tenants_in_schemas_need_vary() -> None:
    databases = {"default": {**POSTGRES, "ENGINE": "django_tenants.postgresql_backend"}}
    with override_settings():
        from django.conf import settings

        settings.DATABASES = databases
        assert "VARY" in found(check_settings, {})["E012"].msg
        assert found(check_settings, {"VARY": lambda connection: connection.schema_name}) == {}


def _databases(other: dict[str, Any], given: dict[str, Any] | None = None) -> dict[str, CheckMessage]:
    with override_settings():
        from django.conf import settings

        settings.DATABASES = {"default": POSTGRES, "other": other}
        return found(check_databases, given)


def test_one_database_under_two_addresses_is_told() -> None:
    with override_settings():
        from django.conf import settings

        settings.DATABASES = {"default": {**POSTGRES, "HOST": "localhost"}, "other": {**POSTGRES, "HOST": "127.0.0.1", "PORT": "5432"}}
        message = found(check_databases)["W011"]
        assert "two addresses" in message.msg
        assert "DATABASE_IDENTITY" in str(message.hint)
        assert found(check_databases, {"DATABASE_IDENTITY": {"default": "main", "other": "main"}}) == {}
        assert found(check_databases, {"DATABASE_IDENTITY": lambda connection: "main"}) == {}


def test_one_database_seen_with_two_search_paths_is_told() -> None:
    assert "OPTIONS" in _databases({**POSTGRES, "OPTIONS": {"options": "-c search_path=tenant"}})["W011"].msg
    assert "USER" in _databases({**POSTGRES, "USER": "tenant"})["W011"].msg


@pytest.mark.parametrize(
    "other", [POSTGRES, {**POSTGRES, "NAME": "another"}, {**POSTGRES, "HOST": "replica.example.com"}, {**POSTGRES, "PORT": "5433"}],
)
def test_databases_that_differ_or_are_written_alike_are_not_mentioned(other: dict[str, Any]) -> None:
    assert _databases(other) == {}


def test_sqlite_in_memory_is_a_database_for_each_alias() -> None:
    memory = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    with override_settings():
        from django.conf import settings

        settings.DATABASES = {"default": memory, "other": {**memory, "OPTIONS": {"timeout": 5}}}
        assert found(check_databases) == {}
