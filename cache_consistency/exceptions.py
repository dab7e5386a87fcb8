"""The one tree of errors. This module imports nothing, so that every floor may raise and catch what is in it."""


class CacheConsistencyError(Exception):
    """The root: ``except CacheConsistencyError`` catches whatever this package raises on its own account."""


class DeclarationError(CacheConsistencyError):
    """A policy, a dependency or a registration that cannot be understood; the message names model, option and remedy."""


class StoreError(CacheConsistencyError):
    """Something between us and the store; a read answers it with the database, a write with a later RESOLVE."""


class StoreUnavailable(StoreError):
    """No answer. A MARK or RESOLVE that raised it **may** have been applied: the RESOLVE is still owed."""


class StoreTimeout(StoreUnavailable):
    """No answer within ``TIMEOUT`` seconds."""


class StoreRefused(StoreError):
    """The server answered, with an error: memory is full, it is a replica, a command is forbidden to this user."""


class TooManyWriters(StoreRefused):
    """A MARK of a tag that is already pending for as many writers as it may be; nothing was marked. It is over in milliseconds."""


class CorruptEntry(StoreError):
    """Bytes under one of our keys that are not an entry of ours; a read counts it as a miss."""


class CodecError(CacheConsistencyError):
    """A value that cannot be stored and come back equal and of the same type; carries the field's name where there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidationError(CacheConsistencyError):
    """An invalidation that was asked for by name and cannot be carried out: unknown label, no such object form."""
