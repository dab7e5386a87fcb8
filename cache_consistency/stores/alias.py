"""
From an alias in ``CACHES`` to the making of connections of our own.

The alias's own client is asked for its pool, whose options are what URL, credentials, TLS and ``CONNECTION_POOL_KWARGS`` came to; no
connection of that pool is ever opened. Ours differ in what a protocol of marks needs: nothing is resent by the driver, a call ends after
``TIMEOUT``, and there is no round trip that buys nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import redis
from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from cache_consistency.conf import ConfigurationError
from cache_consistency.stores._errors import DRIVER_ERRORS
from cache_consistency.stores.wire import Connection

_OURS = {
    "socket_timeout", "socket_connect_timeout", "retry", "retry_on_error", "retry_on_timeout", "health_check_interval",
    "redis_connect_func", "decode_responses", "encoding", "encoding_errors", "parser_class", "protocol", "legacy_responses",
    "command_packer", "lib_name", "lib_version", "driver_info", "cache", "cache_config", "event_dispatcher", "himport_registry",
}
"""Options of the alias that do not reach our connections; those of the driver's maintenance notifications do not either."""
_NOT_OURS_EITHER = ("maint", "orig_", "oss_cluster_")
WRONG_TYPES: tuple[type[Exception], ...] = (TypeError, ValueError, AttributeError, LookupError)
"""What backends and the driver raise for a setting of a wrong type or form: they find out by using it."""
_WRONG_OPTIONS: tuple[type[Exception], ...] = (*WRONG_TYPES, ImportError, *DRIVER_ERRORS)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to make one connection to one server."""

    connection_class: Callable[..., Connection]
    options: Mapping[str, Any] = dataclasses.field(repr=False)      # holds the password

    @property
    def address(self) -> str:
        """Host and port or path, and the database's number; never credentials."""
        place = self.options.get("path") or f"{self.options.get('host', 'localhost')}:{self.options.get('port', 6379)}"
        return f"{place}/{self.options.get('db') or 0}"

    def make(self, *, timeout: float, on_connect: Callable[[Connection], None]) -> Connection:
        """Return a connection that is not open yet."""
        return self.connection_class(
            **self.options,
            **_silence(),
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            retry_on_timeout=False,
            health_check_interval=0,
            decode_responses=False,
            protocol=2,                                             # 3 costs a HELLO for each connection and gives us nothing
            redis_connect_func=on_connect,
        )


@functools.cache
def _silence() -> dict[str, None]:
    """Return the options that spare two CLIENT SETINFO for each connection; their names depend on the driver's version."""
    known = inspect.signature(redis.connection.AbstractConnection.__init__).parameters
    return {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}


def recipe_from_pool(pool: ConnectionPool) -> Recipe:
    options = {
        name: value for name, value in pool.connection_kwargs.items()
        if name not in _OURS and not name.startswith(_NOT_OURS_EITHER)
    }
    return Recipe(pool.connection_class, options)


def recipe_for(backend: BaseCache, *, alias: str) -> Recipe:
    """
    Return the recipe for the primary server of a django-redis or Django ``RedisCache`` backend.

    :raises ConfigurationError: the client is of a kind that is not supported (Sentinel, Cluster, shards), or its options are wrong.
    """
    try:
        pool = _pool_of(backend)
    except ImportError as error:
        raise ConfigurationError(f"CACHES[{alias!r}]: {error}") from error
    except ImproperlyConfigured as error:
        raise ConfigurationError(f"CACHES[{alias!r}]: {error}") from None
    except ValueError:
        # the driver's message may quote the URL, password included
        raise ConfigurationError(f"CACHES[{alias!r}]: LOCATION is not a URL redis://, rediss:// or unix:// that can be read.") from None
    except (*WRONG_TYPES, *DRIVER_ERRORS) as error:                 # no text: it may quote what it could not use
        raise ConfigurationError(
            f"CACHES[{alias!r}]: no client can be made from it ({type(error).__name__}); LOCATION is a URL or a list, OPTIONS a dict."
        ) from None
    if isinstance(pool, SentinelConnectionPool) or not isinstance(pool, ConnectionPool):
        raise ConfigurationError(
            f"CACHES[{alias!r}]: {type(backend).__name__} with {type(pool).__name__} is not supported; "
            "the store of cache_consistency needs one Redis server (no Sentinel, Cluster or shards) and a client that reaches it directly."
        )
    recipe = recipe_from_pool(pool)
    try:
        recipe.make(timeout=1.0, on_connect=lambda connection: None)            # not opened
    except _WRONG_OPTIONS as error:
        raise ConfigurationError(f"CACHES[{alias!r}]: no connection can be made from its options: {error}") from None
    return recipe


def _pool_of(backend: Any) -> object:
    """Return the pool of the server that is written to, not connected; or the object that stands where a pool was expected."""
    if hasattr(backend, "_cache"):                                  # Django's: a client of its own for each server
        return backend._cache.get_client(write=True).connection_pool
    client = backend.client
    factory = getattr(client, "connection_factory", None)
    servers = getattr(client, "_server", None)
    if factory is None or not servers or type(client).__name__ == "ShardClient":
        return client
    # a pool of its own: the factory's shared ones go by URL alone, and another alias may have made it with other options
    pool = factory.get_connection_pool(factory.make_connection_params(servers[0]))
    return client if issubclass(getattr(factory, "redis_client_cls", redis.Redis), redis.RedisCluster) else pool
