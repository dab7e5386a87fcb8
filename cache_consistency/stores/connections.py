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
import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any

from cache_consistency.stores._errors import DRIVER_ERRORS, LOST, REPLIES
from cache_consistency.stores.callbacks import tell
from cache_consistency.stores.channel import Channel, open_channel
from cache_consistency.stores.wire import Connection

OnReply = Callable[[Any], None]
"""Called with one reply, or with the driver's error that stands for it."""


class Line:
    """The connection of one thread, and the replies that are still to come on it."""

    __slots__ = ("__weakref__", "_channel", "_connection", "_flying", "_make", "_owed", "_timeout", "known")

    def __init__(self, make: Callable[[], Connection], *, timeout: float) -> None:
        self._make, self._timeout = make, timeout
        self._connection: Connection | None = None
        self._channel: Channel | None = None                        # there is one as long as there is a connection
        self._flying = False
        self._owed: collections.deque[OnReply] = collections.deque()
        self.known: set[str] = set()
        """Hashes of the scripts that the server has been seen to know, on this physical connection."""

    @property
    def is_open(self) -> bool:
        return self._channel is not None

    def ask(self, packed: bytes, again: Callable[[], bytes] | None = None) -> Any:
        """
        Send one command and return its reply.

        :param again: packs the second attempt; without it the command is one that may be executed twice as it is.
        :raises: the driver's errors; after any but an error reply the connection is closed.
        """
        if self._flying or self._owed:
            self._make_way()
        channel = self._channel
        if channel is not None:
            try:
                return self._exchange(channel, packed)
            except LOST:
                if again is not None:
                    packed = again()
        return self._exchange(self._channel or self._opened(), packed)

    def ask_many(self, packed: bytes, replies: int) -> list[Any]:
        """Send several commands at once, each of which may be executed twice; return as many replies, error replies among them."""
        self._make_way()
        channel = self._channel
        if channel is not None:
            try:
                return self._exchange_many(channel, packed, replies)
            except LOST:
                pass                                                # attempted again below
        return self._exchange_many(self._channel or self._opened(), packed, replies)

    def send(self, packed: bytes, on_reply: OnReply, again: Callable[[], bytes]) -> None:
        """Send one command and leave its reply for later; see `settle`. ``again`` packs the second attempt."""
        if self._flying:
            self.close()
        channel = self._channel
        try:
            self._send(channel or self._opened(), packed)
        except LOST:
            if channel is None:
                raise
            self._send(self._channel or self._opened(), again())
        self._owed.append(on_reply)

    def settle(self) -> None:
        """Read the replies that are owed and tell whoever waits for them; a timeout is told to them and raised as well."""
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
        if self._channel is not None:
            self._drop(self._channel)
        self._flying = False
        self._give_up_owed()

    def abandon(self) -> None:
        """Forget everything without a word on the network: after a fork the connection belongs to the parent."""
        self._owed.clear()
        self.known.clear()
        self._connection = self._channel = None
        self._flying = False

    def __del__(self) -> None:
        if self._owed:                                              # the thread has ended; the driver closes the socket itself
            with contextlib.suppress(*DRIVER_ERRORS):               # told to those who wait for the replies
                self.settle()                                       # they came long ago
            self.close()

    def _make_way(self) -> None:
        """See to it that the next reply on the connection is the next command's."""
        if self._flying:                                            # the one that this request interrupts will fail
            self.close()
        if self._owed:
            self.settle()

    def _exchange(self, channel: Channel, packed: bytes) -> Any:
        try:
            self._flying = True
            channel.send(packed)
            reply = channel.receive()
            self._flying = False
        except BaseException as error:
            self._after(channel, error)
            raise
        return reply

    def _exchange_many(self, channel: Channel, packed: bytes, replies: int) -> list[Any]:
        try:
            self._flying = True
            channel.send(packed)
            found = [_reply(channel) for _ in range(replies)]
            self._flying = False
        except BaseException as error:
            self._after(channel, error)
            raise
        return found

    def _send(self, channel: Channel, packed: bytes) -> None:
        try:
            self._flying = True
            channel.send(packed)
            self._flying = False
        except BaseException as error:
            self._after(channel, error)
            raise

    def _after(self, channel: Channel, error: BaseException) -> None:
        """Leave a request that raised: the connection goes on only if the reply was read to its end, and it was an error reply."""
        replaced = self._channel is not channel
        if not isinstance(error, REPLIES):
            self._drop(channel)
        if replaced and isinstance(error, OSError):                 # closed under our hands: as good as closed by the server
            raise _gone() from error
        self._flying = False

    def _opened(self) -> Channel:
        """Return a new connection, on which ENSURE_EPOCH was answered."""
        self._give_up_owed()                                        # they were to come on a connection that is no more
        connection = self._make()
        try:
            connection.connect()
            channel = open_channel(connection, timeout=self._timeout)
        except BaseException as error:
            connection.disconnect()
            if isinstance(error, Exception) and not isinstance(error, DRIVER_ERRORS):    # as a credential provider's own may be
                raise ConnectionError(f"the connection cannot be opened: {type(error).__name__}: {error}") from error
            raise
        self._connection, self._channel = connection, channel
        self.known.clear()
        return channel

    def _drop(self, channel: Channel) -> None:
        """Close the connection, unless a request that interrupted this one has done so already."""
        connection = self._connection
        if self._channel is channel and connection is not None:
            self._connection = self._channel = None
            self.known.clear()
            connection.disconnect()

    def _owed_reply(self, on_reply: OnReply) -> Any:
        """Return the next reply; what the driver raises, and the end of the connection, as a value."""
        channel = self._channel
        if channel is None:
            return _gone()
        try:
            self._flying = True
            reply = _reply(channel)
            self._flying = False
        except DRIVER_ERRORS as error:
            self._drop(channel)
            self._flying = False
            return error
        except BaseException:
            self._owed.appendleft(on_reply)
            self.close()
            raise
        return reply

    def _give_up_owed(self) -> None:
        while self._owed:
            tell(self._owed.popleft(), _gone())


def _gone() -> ConnectionError:
    return ConnectionError("the connection was closed before the reply")


def _reply(channel: Channel) -> Any:
    """Return one reply, an error reply as a value."""
    try:
        return channel.receive()
    except REPLIES as error:
        return error


class Lines:
    """The lines of all threads of one store. A line dies with its thread, and its socket with it."""

    def __init__(self, make: Callable[[], Connection], *, timeout: float) -> None:
        self._make, self._timeout = make, timeout
        self._begin()

    def _begin(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[Line] = weakref.WeakSet()

    def mine(self) -> Line:
        try:
            line: Line = self._local.line
        except AttributeError:
            line = self._local.line = Line(self._make, timeout=self._timeout)
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
