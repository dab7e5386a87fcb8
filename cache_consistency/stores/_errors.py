"""The one place that knows the driver's errors: what they are called there, and what they mean to us."""

from __future__ import annotations

import ssl

import redis

from cache_consistency.exceptions import StoreError, StoreRefused, StoreTimeout, StoreUnavailable, TooManyWriters

DRIVER_ERRORS: tuple[type[Exception], ...] = (redis.RedisError, OSError)
"""Whatever a command may raise that is the store's fault."""
LOST: tuple[type[Exception], ...] = (redis.ConnectionError, ConnectionError, ssl.SSLEOFError)
"""The connection is gone: nobody will answer on it. A timeout is not among them."""
REPLIES: tuple[type[Exception], ...] = (redis.ResponseError,)
"""The server answered with an error, and the connection goes on."""
InvalidResponse = redis.InvalidResponse
"""Bytes that are no reply at all."""
reply_error = redis.connection.DefaultParser.parse_error
"""Makes the driver's exception out of the text of an error reply."""
NO_SCRIPT: tuple[type[Exception], ...] = (redis.exceptions.NoScriptError,)

_NOT_NOW = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY ")
_REFUSED = (redis.AuthenticationError, redis.exceptions.AuthorizationError, redis.DataError)


def translate(error: Exception, where: str) -> StoreError:
    """
    Return our error for one of `DRIVER_ERRORS`, to be raised ``from`` it.

    :param where: alias and address of the store, without credentials.
    """
    if isinstance(error, (redis.TimeoutError, TimeoutError, BlockingIOError)):        # the last: the kernel kept the time
        return StoreTimeout(f"store {where}: no answer in time")
    if str(error).startswith("TOOMANYTOKENS"):
        return TooManyWriters(f"store {where} refused: {error}")
    if isinstance(error, _REFUSED) or (isinstance(error, redis.ResponseError) and not str(error).startswith(_NOT_NOW)):
        return StoreRefused(f"store {where} refused: {error}")
    return StoreUnavailable(f"store {where}: {error}")
