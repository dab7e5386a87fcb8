"""
Private real servers for tests and demonstrations: a Redis and a PostgreSQL that nobody else talks to.

    with RedisServer() as redis, PostgresServer(fsync=False) as postgres:
        ...                      # redis.url, postgres.url; both answer already, both are gone afterwards

They need a binary, not a service: `find_redis_server` and `find_postgres` say which one would be used. Nothing here imports a driver.
"""

from cache_consistency.testing._postgres_server import PostgresServer, find_postgres
from cache_consistency.testing._process import ServerFailed, ServerMissing, end_with_parent, free_port
from cache_consistency.testing._redis_server import RedisServer, find_redis_server

__all__ = [
    "PostgresServer",
    "RedisServer",
    "ServerFailed",
    "ServerMissing",
    "end_with_parent",
    "find_postgres",
    "find_redis_server",
    "free_port",
]
