"""
One connection for each running event loop, shared by all its tasks.

Redis answers the commands of a connection in the order they came in, so any number of tasks may have a question under way on one of them:
each waits for the reply that has its place in the queue. A task that is cancelled leaves its place behind, and the reply that comes for it
is thrown away; so no reply ever reaches another request, and a client that goes away costs no connection. Only reads travel here.

The connection is opened by a thread, as every other one of ours: by the same recipe, with ENSURE_EPOCH as its first command. After that
its bare socket is watched by the loop. It belongs to nobody's transport, so it outlives a loop that is closed (``async_to_sync`` makes one
for each call) and is taken over, silent as it is, by the next.

A server that does not answer is found by one timer for each connection, not one for each request, which would cost more than the reply.
"""

from __future__ import annotations

import asyncio
import collections
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from cache_consistency.stores import channel
from cache_consistency.stores._errors import LOST, InvalidResponse, reply_error
from cache_consistency.stores.wire import Connection

SECOND_LOOK = 0.005
"""Seconds after which a late server is looked at again: a loop that was busy for long has not read yet what is there."""
MOST_SPARE = 8
"""Connections of loops that are closed, kept for loops to come."""

_READ_SIZE = 65_536
_NOT_YET = object()
_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class UnsuitableConnection(Exception):
    """An event loop cannot watch this kind of connection (a pretended server, no hiredis); a thread has to do it."""


class AsyncLine:
    """One connection; every method is called in the thread of the event loop that it is attached to."""

    __slots__ = ("_armed", "_buffer", "_connection", "_feed", "_gets", "_late", "_sock", "_timeout", "_unsent", "_waiting")

    def __init__(self, connection: Connection, *, timeout: float) -> None:
        sock = getattr(connection, "_sock", None)
        if channel.new_reader is None or not isinstance(sock, socket.socket):
            raise UnsuitableConnection
        reader = channel.new_reader(protocolError=InvalidResponse, replyError=reply_error, notEnoughData=_NOT_YET)
        self._connection: Connection | None = connection
        self._sock, self._timeout = sock, timeout
        self._gets, self._feed, self._buffer = reader.gets, reader.feed, bytearray(_READ_SIZE)
        self._waiting: collections.deque[tuple[asyncio.Future[Any], float]] = collections.deque()
        self._unsent = bytearray()
        self._armed = self._late = False
        self._sock.setblocking(False)

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    @property
    def is_quiet(self) -> bool:
        """Whether it is open and nobody has a question under way, not even one who has gone away."""
        return self.is_open and not self._waiting and not self._unsent

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have ``loop`` watch it; the one that did before is closed."""
        self._armed = self._late = False
        loop.add_reader(self._sock.fileno(), self._on_readable)

    def ask(self, loop: asyncio.AbstractEventLoop, packed: bytes) -> asyncio.Future[Any]:
        """Send one command; the future gets its reply, or one of the driver's errors."""
        future, deadline = loop.create_future(), loop.time() + self._timeout
        self._waiting.append((future, deadline))
        if not self._armed:
            self._armed = True
            loop.call_at(deadline, self._watch)
        self._send(loop, packed)
        return future

    def close(self) -> None:
        """End the connection and whatever is under way on it."""
        self._end(lambda: ConnectionError("the connection was closed before the reply"))

    def abandon(self) -> None:
        """End the connection past its loop, which is closed, or another process's."""
        connection, self._connection = self._connection, None
        self._waiting.clear()
        if connection is not None:
            connection.disconnect()

    def _send(self, loop: asyncio.AbstractEventLoop, packed: bytes) -> None:
        if self._unsent:
            self._unsent += packed
            return
        try:
            sent = self._sock.send(packed)
        except _WAIT:
            sent = 0
        except OSError as error:
            self._lost(error)
            return
        if sent < len(packed):
            self._unsent += packed[sent:]
            loop.add_writer(self._sock.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        try:
            del self._unsent[:self._sock.send(self._unsent)]
        except _WAIT:
            return
        except OSError as error:
            self._lost(error)
            return
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._sock.fileno())

    def _on_readable(self) -> None:
        more = True
        while more and self.is_open:
            try:
                size = self._sock.recv_into(self._buffer)
            except _WAIT:
                return
            except OSError as error:
                self._lost(error)
                return
            if not size:
                self._lost("the server closed the connection")
                return
            self._feed(self._buffer, 0, size)
            self._deliver()
            more = isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0     # read by TLS, unknown to the loop

    def _deliver(self) -> None:
        """Give each whole reply to the one who has its place in the queue."""
        self._late = False
        try:
            reply = self._gets()
            while reply is not _NOT_YET:
                if not self._waiting:
                    self._lost(f"a reply that nobody asked for: {str(reply)[:80]}")
                    return
                future = self._waiting.popleft()[0]
                if not future.done():
                    if isinstance(reply, Exception):
                        future.set_exception(reply)
                    else:
                        future.set_result(reply)
                reply = self._gets()
        except InvalidResponse as error:
            text = str(error)
            self._end(lambda: InvalidResponse(text))

    def _watch(self) -> None:
        """Look whether the request that waits longest has waited too long."""
        self._armed = False
        if not self._waiting:
            return
        loop, deadline = asyncio.get_running_loop(), self._waiting[0][1]
        if deadline <= loop.time():
            if self._late:
                self._end(lambda: TimeoutError("no answer in time"))
                return
            self._late, deadline = True, loop.time() + SECOND_LOOK
        self._armed = True
        loop.call_at(deadline, self._watch)

    def _lost(self, reason: object) -> None:
        self._end(lambda: ConnectionError(str(reason)))

    def _end(self, make_error: Callable[[], Exception]) -> None:
        if not self.is_open:
            return
        loop, waiting = asyncio.get_running_loop(), self._waiting.copy()
        loop.remove_reader(self._sock.fileno())
        loop.remove_writer(self._sock.fileno())
        self._unsent.clear()
        self.abandon()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(make_error())


class _Place:
    """What one event loop has of the store."""

    __slots__ = ("line", "opening")

    def __init__(self, line: AsyncLine | None) -> None:
        self.line = line
        self.opening: asyncio.Task[AsyncLine] | None = None


class AsyncLines:
    """
    The lines of all event loops of one store, one each.

    A loop that is closed is noticed when the next one comes. It is held until then: its connection may not go with it.
    """

    def __init__(self, make: Callable[[], Connection], *, timeout: float) -> None:
        self._make, self._timeout = make, timeout
        self._suitable = True
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[asyncio.AbstractEventLoop, _Place] = {}
        self._spare: list[AsyncLine] = []

    async def ask(self, packed: bytes) -> Any:
        """
        Send one command, one that may be executed twice, and return its reply.

        :raises UnsuitableConnection: a thread has to ask.
        :raises: the driver's errors, as `connections.Line.ask`.
        """
        if not self._suitable:
            raise UnsuitableConnection
        loop = asyncio.get_running_loop()
        place = self._places.get(loop) or self._new_place(loop)
        line = place.line
        if line is not None and line.is_open:
            try:
                return await line.ask(loop, packed)
            except LOST:
                pass                                                # a kept connection may have been closed meanwhile: once more
        return await (await self._opened(loop, place)).ask(loop, packed)

    def is_open(self) -> bool:
        """Return whether the running loop has a connection."""
        place = self._places.get(asyncio.get_running_loop())
        return place is not None and place.line is not None and place.line.is_open

    def close(self) -> None:
        """Close the connections of all loops; from any thread, with a loop running or without."""
        with self._lock:
            lines = [(loop, place.line) for loop, place in self._places.items() if place.line is not None]
            spare, self._spare = self._spare, []
            for place in self._places.values():
                place.line = None
        for loop, line in lines:
            _close_in(loop, line)
        for line in spare:
            line.abandon()

    def after_fork(self) -> None:
        """Begin anew in a child process, which has no loop that runs yet."""
        for line in (*self._spare, *(place.line for place in self._places.values())):
            if line is not None:
                line.abandon()                                      # closes this process's copy of the socket, and says nothing on it
        self._begin()

    def _new_place(self, loop: asyncio.AbstractEventLoop) -> _Place:
        with self._lock:
            for gone in [known for known in self._places if known.is_closed()]:
                self._keep_spare(self._places.pop(gone).line)
            line = self._spare.pop() if self._spare else None
            place = self._places[loop] = _Place(line)
        if line is not None:
            line.attach(loop)
        return place

    def _keep_spare(self, line: AsyncLine | None) -> None:
        if line is not None and line.is_quiet and len(self._spare) < MOST_SPARE:
            self._spare.append(line)
        elif line is not None:
            line.abandon()

    async def _opened(self, loop: asyncio.AbstractEventLoop, place: _Place) -> AsyncLine:
        """Return the loop's line; all tasks that need one wait for the same, and one that gives up does not end it."""
        if place.line is not None and place.line.is_open:
            return place.line
        if place.opening is None:
            place.opening = loop.create_task(self._open(loop, place))
        async with asyncio.timeout(self._timeout):
            return await asyncio.shield(place.opening)

    async def _open(self, loop: asyncio.AbstractEventLoop, place: _Place) -> AsyncLine:
        try:
            connection = await loop.run_in_executor(None, self._connected)
            line = AsyncLine(connection, timeout=self._timeout)
            line.attach(loop)
            place.line = line
            return line
        except UnsuitableConnection:
            self._suitable = False
            connection.disconnect()
            raise
        finally:
            place.opening = None

    def _connected(self) -> Connection:
        """Return a new connection, on which ENSURE_EPOCH was answered; blocks."""
        connection = self._make()
        try:
            connection.connect()
        except BaseException:
            connection.disconnect()
            raise
        return connection


def _close_in(loop: asyncio.AbstractEventLoop, line: AsyncLine) -> None:
    try:
        loop.call_soon_threadsafe(line.close)
    except RuntimeError:                                            # the loop is closed
        line.abandon()
