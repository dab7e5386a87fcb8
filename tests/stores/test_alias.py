"""From CACHES to a store: what is taken over from the alias, what is not, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core import checks
from django.core.cache import caches
from pytest_django import Settings

from cache_consistency import conf, stores
from cache_consistency.exceptions import StoreRefused, StoreUnavailable
from cache_consistency.stores.alias import recipe_for, recipe_from_pool
from cache_consistency.stores.memory import MemoryStore
from cache_consistency.stores.redis import RedisStore
from cache_consistency.testing.servers import RedisServer
from tests.stores.contract import KEYSPACE, ROW

DJANGO_REDIS, DJANGO = "django_redis.cache.RedisCache", "django.core.cache.backends.redis.RedisCache"
BOTH = pytest.mark.parametrize("backend", [DJANGO_REDIS, DJANGO])


def use(settings: Settings, **alias: Any) -> stores.Store | None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}, "consistent": alias}
    settings.CACHE_CONSISTENCY = {"CACHE": "consistent"}
    return stores.current()


def pool_options(backend: str, **options: Any) -> dict[str, Any]:
    """Write options of the driver's pool where that backend wants them."""
    return {"CONNECTION_POOL_KWARGS": options} if backend == DJANGO_REDIS else options


def options_of(settings: Settings, **alias: Any) -> dict[str, Any]:
    use(settings, **alias)
    return dict(recipe_for(caches["consistent"], alias="consistent").options)


@pytest.fixture
def secured(redis_here: None) -> Iterator[RedisServer]:
    with RedisServer() as server:
        with redis.Redis.from_url(server.url) as raw:
            modest: dict[str, Any] = {"enabled": True, "passwords": ["+s3cret"], "keys": ["cc:*"], "categories": ["+@all", "-@dangerous"]}
            raw.acl_setuser("shop", **modest, commands=["+info"])
            raw.acl_setuser("poor", **modest)
            raw.acl_setuser("default", enabled=True, passwords=["+other"], keys=["*"], categories=["+@all"], reset=True)
        yield server


@BOTH
def test_user_password_and_database_of_the_url_are_used(settings: Settings, secured: RedisServer, backend: str) -> None:
    store = use(settings, BACKEND=backend, LOCATION=f"redis://shop:s3cret@127.0.0.1:{secured.port}/3")
    assert isinstance(store, RedisStore)
    store.take([ROW])
    with redis.Redis(port=secured.port, password="other", db=3) as raw:
        assert raw.get(ROW) is not None
    assert "s3cret" not in repr(store)


def test_django_redis_options_for_password_and_pool_are_used(settings: Settings, secured: RedisServer) -> None:
    store = use(
        settings, BACKEND=DJANGO_REDIS, LOCATION=f"redis://127.0.0.1:{secured.port}/0",
        OPTIONS={"USERNAME": "shop", "PASSWORD": "s3cret", "CONNECTION_POOL_KWARGS": {"socket_timeout": 5, "max_connections": 3}},
    )
    assert store is not None
    assert store.get([ROW]) == [None]


def test_a_wrong_password_is_refused_without_being_shown(settings: Settings, secured: RedisServer) -> None:
    store = use(settings, BACKEND=DJANGO_REDIS, LOCATION=f"redis://shop:wr0ng@127.0.0.1:{secured.port}/0")
    assert store is not None
    with pytest.raises(StoreRefused) as caught:
        store.get([ROW])
    assert "wr0ng" not in str(caught.value)


def test_a_user_who_may_not_ask_who_the_server_is_is_refused_with_the_reason(settings: Settings, secured: RedisServer) -> None:
    store = use(settings, BACKEND=DJANGO_REDIS, LOCATION=f"redis://poor:s3cret@127.0.0.1:{secured.port}/0")
    assert store is not None
    with pytest.raises(StoreRefused, match=r"can't run|permissions"):
        store.get([ROW])


@BOTH
@pytest.mark.usefixtures("redis_here")
def test_a_unix_socket_is_used(settings: Settings, tmp_path: Path, backend: str) -> None:
    path = tmp_path / "s"
    with RedisServer("--unixsocket", str(path)):
        store = use(settings, BACKEND=backend, LOCATION=f"unix://{path}?db=2")
        assert store is not None
        assert store.take([ROW]).states
        assert f"{path}/2" in repr(store)


@BOTH
def test_tls_options_reach_the_connection(settings: Settings, backend: str) -> None:
    use(
        settings, BACKEND=backend, LOCATION="rediss://user:pw@cache.example:6380/1",
        OPTIONS=pool_options(backend, ssl_cert_reqs="required", ssl_ca_certs="/ca.pem"),
    )
    recipe = recipe_for(caches["consistent"], alias="consistent")
    assert recipe.connection_class is redis.SSLConnection
    assert recipe.options["ssl_ca_certs"] == "/ca.pem"
    assert recipe.options["password"] == "pw"
    assert recipe.address == "cache.example:6380/1"
    assert "pw" not in repr(recipe)


@BOTH
def test_of_several_servers_the_primary_is_used(settings: Settings, backend: str) -> None:
    options = options_of(settings, BACKEND=backend, LOCATION=["redis://primary:6379/0", "redis://replica:6379/0"])
    assert options["host"] == "primary"


@BOTH
def test_resends_timeouts_and_chatter_of_the_alias_do_not_reach_our_connections(settings: Settings, backend: str) -> None:
    use(
        settings, BACKEND=backend, LOCATION="redis://h:6379/0",
        OPTIONS=pool_options(
            backend, socket_timeout=30, retry_on_timeout=True, retry_on_error=[redis.ConnectionError], health_check_interval=1,
            decode_responses=True, protocol=3, client_name="shop",
        ),
    )
    recipe = recipe_for(caches["consistent"], alias="consistent")
    connection: Any = recipe.make(timeout=0.25, on_connect=lambda connection: None)
    assert connection.socket_timeout == connection.socket_connect_timeout == 0.25
    assert connection.retry._retries == 0
    assert connection.retry_on_error == []
    assert connection.health_check_interval == 0
    assert connection.encoder.decode_responses is False
    assert int(connection.get_protocol()) == 2
    assert connection.client_name == "shop"
    assert not getattr(connection, "maint_notifications_config", None)


def test_a_new_connection_sends_the_handshake_and_the_epoch_and_nothing_else(own_server: RedisServer, raw: redis.Redis) -> None:
    recipe = recipe_from_pool(redis.ConnectionPool.from_url(f"redis://127.0.0.1:{own_server.port}/1"))
    with raw.monitor() as monitor:  # type: ignore[no-untyped-call]  # the driver's
        RedisStore(recipe, KEYSPACE, timeout=2.0).get([ROW])
        seen: list[str] = []
        while not seen or not seen[-1].startswith("MGET"):
            command = monitor.next_command()
            if command["client_type"] != "lua":
                seen.append(command["command"])
    assert [command.split()[0] for command in seen] == ["SELECT", "EVAL", "MGET"]


@pytest.mark.parametrize(
    "options",
    [
        {"CLIENT_CLASS": "django_redis.client.SentinelClient", "SENTINELS": [("s", 26379)],
         "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory"},
        {"CLIENT_CLASS": "django_redis.client.ShardClient"},
        {"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster"},
    ],
)
def test_clients_of_more_than_one_server_are_refused_with_a_reason(settings: Settings, options: dict[str, Any]) -> None:
    assert use(settings, BACKEND=DJANGO_REDIS, LOCATION="redis://master/0", OPTIONS=options) is None
    (problem,) = stores.problems()
    assert problem.name == "CACHE"
    assert "'consistent'" in problem.text
    assert "one Redis server" in problem.text


@BOTH
def test_a_url_that_cannot_be_read_is_a_problem_that_does_not_show_it(settings: Settings, backend: str) -> None:
    assert use(settings, BACKEND=backend, LOCATION="redis://:s3cret@host:p0rt/0") is None
    (problem,) = stores.problems()
    assert "LOCATION" in problem.text
    assert "s3cret" not in problem.text
    assert "p0rt" not in problem.text


@BOTH
def test_options_that_no_connection_takes_are_a_problem_and_not_an_error_of_every_read(settings: Settings, backend: str) -> None:
    assert use(settings, BACKEND=backend, LOCATION="redis://h/0", OPTIONS=pool_options(backend, sokcet_type=1)) is None
    (problem,) = stores.problems()
    assert "sokcet_type" in problem.text


SECRET = "redis://:s3cret@h/0"
WRONG_TYPES: list[dict[str, Any]] = [
    {"LOCATION": 5},
    {"LOCATION": None},
    {"LOCATION": [5]},
    {"LOCATION": {SECRET: 1}},
    {"LOCATION": SECRET, "OPTIONS": 5},
    {"LOCATION": SECRET, "OPTIONS": {"PARSER_CLASS": 5, "pool_class": 5}},
    {"LOCATION": SECRET, "KEY_FUNCTION": 5},
]


@BOTH
@pytest.mark.parametrize("wrong", WRONG_TYPES, ids=str)
def test_values_of_wrong_types_are_a_problem_that_the_check_shows_without_secrets(
    settings: Settings, backend: str, wrong: dict[str, Any]
) -> None:
    assert use(settings, BACKEND=backend, **wrong) is None
    (problem,) = stores.problems()
    assert "'consistent'" in problem.text
    assert "s3cret" not in problem.text
    assert any(problem.text in message.msg for message in checks.run_checks(tags=["cache_consistency"]))


@BOTH
def test_a_location_that_is_a_number_is_a_problem(settings: Settings, backend: str) -> None:
    assert use(settings, BACKEND=backend, LOCATION=5) is None
    assert "LOCATION" in stores.problems()[0].text


def test_a_client_class_that_cannot_be_imported_is_a_problem(settings: Settings) -> None:
    assert use(settings, BACKEND=DJANGO_REDIS, LOCATION="redis://h/0", OPTIONS={"CLIENT_CLASS": "no.such.Client"}) is None
    assert "no.such" in stores.problems()[0].text or "No module" in stores.problems()[0].text


class FailingCredentials(redis.CredentialProvider):
    def get_credentials(self) -> tuple[str]:
        raise KeyError("token service")


def test_what_a_credential_provider_raises_is_a_store_that_is_away(own_server: RedisServer) -> None:
    pool = redis.ConnectionPool.from_url(own_server.url, credential_provider=FailingCredentials())
    with pytest.raises(StoreUnavailable, match="KeyError"):
        RedisStore(recipe_from_pool(pool), KEYSPACE).get([ROW])


def test_without_an_alias_there_is_no_store_and_no_problem(settings: Settings) -> None:
    settings.CACHE_CONSISTENCY = {}
    assert stores.current() is None
    assert stores.problems() == ()


def test_an_alias_that_does_not_exist_and_a_backend_that_cannot_be_a_store_are_problems(settings: Settings) -> None:
    assert use(settings, BACKEND="django.core.cache.backends.dummy.DummyCache") is None
    assert "DummyCache" in stores.problems()[0].text
    settings.CACHE_CONSISTENCY = {"CACHE": "elsewhere"}
    assert stores.current() is None
    assert "no such alias" in stores.problems()[0].text


def test_a_locmem_alias_is_the_store_in_memory_and_stays_until_settings_change(settings: Settings) -> None:
    store = use(settings, BACKEND="django.core.cache.backends.locmem.LocMemCache")
    assert isinstance(store, MemoryStore)
    assert stores.current() is store
    conf.reload()
    assert stores.current() is not store


def test_settings_reach_the_store(settings: Settings, own_server: RedisServer) -> None:
    settings.CACHES = {"consistent": {"BACKEND": DJANGO_REDIS, "LOCATION": own_server.url}}
    settings.CACHE_CONSISTENCY = {"CACHE": "consistent", "NAMESPACE": "shop", "QUARANTINE": "1h", "TIMEOUT": 3}
    store = stores.current()
    assert store is not None
    assert store.keyspace.epoch == "shop:epoch"
    assert not store.take([]).storable


def test_a_test_can_put_another_store_in_force(settings: Settings) -> None:
    settings.CACHE_CONSISTENCY = {}
    store = MemoryStore(KEYSPACE)
    with stores.override(store):
        assert stores.current() is store
        conf.reload()
        assert stores.current() is store
        with stores.override(None):
            assert stores.current() is None
        assert stores.current() is store
    assert stores.current() is None
