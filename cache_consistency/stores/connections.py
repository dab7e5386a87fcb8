"""
One connection a thread, held open.

A thread does one thing at a time, so its connection needs no pool, no lock and no check-out; that is most of what a fast hit is made of.
What must never happen is that one request reads another's reply. So whatever interrupts a request between its first byte and the end of
its reply (a timeout, ``KeyboardInterrupt``, a greenlet that is killed) closes the connection, and a request that finds another one under
way on its own thread (from a signal handler or a finaliser) gets a new connection, while the other one fails.

A kept connection may have been closed by the server meanwhile. Then the request is attempted once more on a new one, which begins with
ENSURE_EPOCH: not a resend behind our back, but a second attempt with random parts of its own, and both may be executed without harm.
"""

from __future__ import annotations

import collections
import functools
import threading
import weakref
from collections.abc import Callable
from typing import Any

from cache_consistency.stores._errors import DRIVER_ERRORS, LOST, REPLIES
from cache_consistency.stores.callbacks import tell
from cache_consistency.stores.wire import Connection

OnReply = Callable[[Any], None]
"""Called with one reply, or with the driver's error that stands for it."""


class Line:
    """The connection of one thread, and the replies that are still to come on it."""

    __slots__ = ("__weakref__", "_connection", "_flying", "_make", "_owed")

    def __init__(self, make: Callable[[], Connection]) -> None:
        self._make = make
        self._connection: Connection | None = None
        self._flying = False
        self._owed: collections.deque[OnReply] = collections.deque()

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def ask(self, packed: bytes, again: Callable[[], bytes] | None = None) -> Any:
        """
        Send one command and return its reply.

        :param again: packs the second attempt; without it the command is one that may be executed twice as it is.
        :raises: the driver's errors; after any but an error reply the connection is closed.
        """
        return self._twice(packed, again, self._exchange)

    def ask_many(self, packed: bytes, replies: int) -> list[Any]:
        """Send several commands at once and return as many replies; an error reply stands in the list."""

        found: list[Any] = self._twice(packed, None, functools.partial(self._exchange, replies=replies))
        return found

    def send(self, packed: bytes, on_reply: OnReply, again: Callable[[], bytes]) -> None:
        """Send one command and leave its reply for later; see `settle`. ``again`` packs the second attempt."""
        self._twice(packed, again, functools.partial(self._send, on_reply=on_reply), settle=False)

    def settle(self) -> None:
        """Read the replies that are owed and tell whoever waits for them; a timeout is told to them and raised as well."""
        if self._flying:
            self.close()
        failure: Exception | None = None
        answers: list[tuple[OnReply, Any]] = []
        while self._owed:
            on_reply = self._owed.popleft()
            answer = self._owed_reply(on_reply) if failure is None else failure
            if isinstance(answer, DRIVER_ERRORS) and not isinstance(answer, REPLIES):
                failure = answer
            answers.append((on_reply, answer))
        for on_reply, answer in answers:
            tell(on_reply, answer)
        if failure is not None and not isinstance(failure, LOST):
            raise failure                                           # the caller's own command would wait as long again

    def close(self) -> None:
        """Close the connection; replies that are owed will never come."""
        connection = self._connection
        if connection is not None:
            self._drop(connection)
        self._flying = False
        self._give_up_owed()

    def abandon(self) -> None:
        """Forget everything without a word on the network: after a fork the connection belongs to the parent."""
        self._owed.clear()
        self._connection, self._flying = None, False

    def __del__(self) -> None:
        if self._owed:                                              # the thread has ended; the driver closes the socket itself
            self.close()

    def _twice(
        self, packed: bytes, again: Callable[[], bytes] | None, exchange: Callable[[bytes], Any], *, settle: bool = True
    ) -> Any:
        if self._flying:
            self.close()
        if self._owed and settle:
            self.settle()
        kept = self._connection is not None
        try:
            return exchange(packed)
        except LOST:
            if not kept:
                raise
        return exchange(packed if again is None else again())

    def _exchange(self, packed: bytes, *, replies: int | None = None) -> Any:
        connection = self._connection or self._opened()
        try:
            self._flying = True
            connection.send_packed_command((packed,), check_health=False)
            return connection.read_response() if replies is None else [_reply(connection) for _ in range(replies)]
        except REPLIES:
            raise                                                   # read to its end: the connection goes on
        except BaseException:
            self._drop(connection)
            raise
        finally:
            self._flying = False

    def _send(self, packed: bytes, *, on_reply: OnReply) -> None:
        connection = self._connection or self._opened()
        try:
            self._flying = True
            connection.send_packed_command((packed,), check_health=False)
        except BaseException:
            self._drop(connection)
            raise
        finally:
            self._flying = False
        self._owed.append(on_reply)

    def _opened(self) -> Connection:
        """Return a new connection, on which ENSURE_EPOCH was answered."""
        self._give_up_owed()                                        # they were to come on a connection that is no more
        connection = self._make()
        try:
            connection.connect()
        except BaseException:
            connection.disconnect()
            raise
        self._connection = connection
        return connection

    def _drop(self, connection: Connection) -> None:
        if self._connection is connection:                          # a request that interrupted this one may have opened another
            self._connection = None
        connection.disconnect()

    def _owed_reply(self, on_reply: OnReply) -> Any:
        """Return the next reply; what the driver raises, and the end of the connection, as a value."""
        connection = self._connection
        if connection is None:
            return _gone()
        try:
            self._flying = True
            return _reply(connection)
        except DRIVER_ERRORS as error:
            self._drop(connection)
            return error
        except BaseException:
            self._drop(connection)
            self._owed.appendleft(on_reply)
            self._give_up_owed()
            raise
        finally:
            self._flying = False

    def _give_up_owed(self) -> None:
        while self._owed:
            tell(self._owed.popleft(), _gone())


def _gone() -> ConnectionError:
    return ConnectionError("the connection was closed before the reply")


def _reply(connection: Connection) -> Any:
    """Return one reply, an error reply as a value."""
    try:
        return connection.read_response()
    except REPLIES as error:
        return error


class Lines:
    """The lines of all threads of one store. A line dies with its thread, and its socket with it."""

    def __init__(self, make: Callable[[], Connection]) -> None:
        self._make = make
        self._begin()

    def _begin(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[Line] = weakref.WeakSet()

    def mine(self) -> Line:
        try:
            line: Line = self._local.line
        except AttributeError:
            line = self._local.line = Line(self._make)
            with self._lock:
                self._all.add(line)
        return line

    def close(self) -> None:
        """Close every thread's connection; a request that is under way in another thread fails."""
        with self._lock:
            lines = list(self._all)
        for line in lines:
            line.close()

    def after_fork(self) -> None:
        """Begin anew in a child process: sockets, and locks that another thread may have held, are the parent's."""
        for line in list(self._all):
            line.abandon()
        self._begin()
