import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.core.checks import CheckMessage

from cache_consistency import stores
from cache_consistency.declare import tracked
from cache_consistency.declare.checks.server import check_deployment
from cache_consistency.declare.checks.store import check_store
from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.stores import StoreInfo
from tests.declare.checking import found

LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/1"}
DJANGO_REDIS = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/1"}


class Foreign(BaseCache):
    """A backend that is none of ours."""


def _store(store: dict[str, Any], **others: dict[str, Any]) -> dict[str, CheckMessage]:
    return found(check_store, {"CACHE": "consistent"}, CACHES={"default": LOCMEM, "consistent": store, **others})


@pytest.mark.parametrize("store", [REDIS, DJANGO_REDIS])
def test_a_redis_of_its_own_is_not_mentioned(store: dict[str, Any]) -> None:
    assert _store(store) == {}


def test_an_alias_that_does_not_exist_is_told_with_the_one_that_is_meant() -> None:
    message = found(check_store, {"CACHE": "consistnet"}, CACHES={"default": LOCMEM, "consistent": REDIS})["E003"]
    assert "'consistnet'" in message.msg
    assert "Did you mean 'consistent'?" in str(message.hint)


def test_declared_models_without_a_store_are_told_unless_the_app_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked, "_in_meta", True)
    assert "uncached" in found(check_store)["W004"].msg
    assert found(check_store, {"ENABLED": False}) == {}
    monkeypatch.setattr(tracked, "_in_meta", False)
    assert found(check_store) == {}


@pytest.mark.parametrize(
    ("store", "number", "part"),
    [
        (LOCMEM, "W005", "inside one process"),
        (DUMMY, "W007", "dummy"),
        ({"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/x"}, "E008", "FileBasedCache"),
        ({"BACKEND": f"{__name__}.Foreign"}, "E008", "cannot keep marks"),
        ({"BACKEND": "no.such.Backend"}, "E008", "cannot be imported"),
        ({}, "E008", "cannot be imported"),
    ],
)
def test_a_backend_that_cannot_keep_the_promise_is_told(store: dict[str, Any], number: str, part: str) -> None:
    result = _store(store)
    assert list(result) == [number]
    assert part in result[number].msg


def test_a_client_that_reaches_more_than_one_server_is_told() -> None:
    options = {"CLIENT_CLASS": "django_redis.client.ShardClient"}
    sharded = {**DJANGO_REDIS, "LOCATION": ["redis://a:1/1", "redis://b:1/1"], "OPTIONS": options}
    assert "one Redis server" in _store(sharded)["E008"].msg


@pytest.mark.parametrize(
    "other",
    [
        {**REDIS, "KEY_PREFIX": "x"},
        {**DJANGO_REDIS, "LOCATION": "redis://user:secret@localhost:1?db=1"},
        {**DJANGO_REDIS, "LOCATION": ["redis://localhost:1", "redis://replica:1"], "OPTIONS": {"db": 1}},
    ],
)
def test_another_alias_on_the_same_redis_database_is_told(other: dict[str, Any]) -> None:
    message = _store(REDIS, sessions=other)["W009"]
    assert "'sessions'" in message.msg
    assert "secret" not in message.msg


@pytest.mark.parametrize(
    "location", ["redis://127.0.0.1:1/2", "redis://127.0.0.1:2/1", "redis://other:1/1", "unix:///run/redis.sock?db=1", None],
)
def test_an_alias_on_another_redis_database_is_not_mentioned(location: str | None) -> None:
    assert _store(REDIS, sessions={**REDIS, "LOCATION": location}) == {}


def test_a_store_that_others_clear_is_told() -> None:
    caches = {"default": REDIS}
    assert "cache.clear()" in found(check_store, {"CACHE": "default"}, CACHES=caches)["W010"].msg
    own = {"default": LOCMEM, "consistent": REDIS}
    sessions = {"SESSION_ENGINE": "django.contrib.sessions.backends.cached_db", "SESSION_CACHE_ALIAS": "consistent"}
    assert "sessions" in found(check_store, {"CACHE": "consistent"}, CACHES=own, **sessions)["W010"].msg
    pages = {"CACHE_MIDDLEWARE_ALIAS": "consistent", "MIDDLEWARE": ["django.middleware.cache.UpdateCacheMiddleware"]}
    assert "middleware" in found(check_store, {"CACHE": "consistent"}, CACHES=own, **pages)["W010"].msg


class _Asked:
    """A store of which only `info` is asked."""

    def __init__(self, answer: StoreInfo | Exception) -> None:
        self.answer = answer

    def info(self) -> StoreInfo:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _info(**changed: Any) -> StoreInfo:
    fields: dict[str, Any] = {
        "kind": "redis", "version": (7, 2, 4), "maxmemory_policy": "noeviction", "maxmemory": 0, "used_memory": 1, "evicted_keys": 0,
        "is_master": True,
    }
    return StoreInfo(**{**fields, **changed})


@contextlib.contextmanager
def _answering(monkeypatch: pytest.MonkeyPatch, answer: StoreInfo | Exception) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(stores, "current", lambda: _Asked(answer))
        yield


def _deployed(**settings: Any) -> dict[str, CheckMessage]:
    given = {"CACHE": "consistent", **settings}
    return found(check_deployment, given, CACHES={"default": LOCMEM, "consistent": REDIS})


def test_a_store_inside_one_process_is_an_error_in_a_deployment() -> None:
    assert list(found(check_deployment, {"CACHE": "default"}, CACHES={"default": LOCMEM})) == ["E006"]
    assert found(check_deployment, {"CACHE": "default"}, CACHES={"default": DUMMY}) == {}
    assert found(check_deployment, {}) == found(check_deployment, {"CACHE": "nowhere"}) == {}


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({}, []),
        ({"version": (6, 2)}, []),
        ({"version": (6, 0, 16)}, ["E051"]),
        ({"maxmemory_policy": "volatile-lru"}, []),
        ({"maxmemory_policy": "allkeys-lru"}, ["W053"]),
        ({"is_master": False}, ["E054"]),
    ],
)
def test_what_the_server_says_is_judged(changed: dict[str, Any], numbers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with _answering(monkeypatch, _info(**changed)):
        assert list(_deployed()) == numbers


def test_a_server_that_evicts_marks_is_an_error_where_strict_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with _answering(monkeypatch, _info(maxmemory_policy="allkeys-lfu")):
        assert list(_deployed(MODE="strict")) == ["E052"]
        assert list(_deployed(MODELS={"declare_tests.Label": {"mode": "strict"}})) == ["E052"]


def test_a_server_that_does_not_answer_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with _answering(monkeypatch, StoreUnavailable("no answer in 0.25 s")):
        assert "0.25 s" in _deployed()["W050"].msg


def test_a_real_connection_that_is_refused_is_a_warning_too() -> None:
    assert list(_deployed()) == ["W050"]
