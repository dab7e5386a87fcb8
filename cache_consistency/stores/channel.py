"""
What goes over an open connection: bytes out, one reply in.

The driver opens the connection, says who we are and asks for the epoch; after that its wrappers round ``sendall`` and ``recv`` would cost
more than the reply's parsing. So a plain socket is spoken to directly, with a hiredis reader of our own. Where there is none (no hiredis, a
pretended server) the driver's methods do. Either way the caller closes the connection after any error but an error reply.

Timeouts: a Python socket with a timeout polls before each call to the kernel; on Linux the kernel keeps the time instead.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Protocol

from cache_consistency.stores._errors import InvalidResponse, reply_error
from cache_consistency.stores.wire import Connection

try:
    from hiredis import Reader
except ImportError:
    new_reader: Callable[..., Any] | None = None                    # the driver's own parser reads
else:
    new_reader = Reader

_READ_SIZE = 65_536
_NOT_YET = object()


class Channel(Protocol):
    """One physical connection; replies come in the order of the commands."""

    def send(self, packed: bytes) -> None: ...

    def receive(self) -> Any:
        """Return one reply; an error reply is raised."""


class DriverChannel:
    """The driver's own reading and writing."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, packed: bytes) -> None:
        self._connection.send_packed_command((packed,), check_health=False)

    def receive(self) -> Any:
        return self._connection.read_response()


class SocketChannel:
    """A plain socket and a reader."""

    __slots__ = ("_buffer", "_feed", "_gets", "_receive", "send")

    def __init__(self, sock: socket.socket, new_reader: Callable[..., Any]) -> None:
        reader = new_reader(protocolError=InvalidResponse, replyError=reply_error, notEnoughData=_NOT_YET)
        self._gets, self._feed = reader.gets, reader.feed
        self._buffer = bytearray(_READ_SIZE)
        self.send, self._receive = sock.sendall, sock.recv_into

    def receive(self) -> Any:
        reply = self._gets()
        while reply is _NOT_YET:
            size = self._receive(self._buffer)
            if not size:
                raise ConnectionError("the server closed the connection")
            self._feed(self._buffer, 0, size)
            reply = self._gets()
        if isinstance(reply, Exception):
            raise reply
        return reply


def open_channel(connection: Connection, *, timeout: float) -> Channel:
    """Return the fastest way to speak on a connection whose handshake is over."""
    sock = getattr(connection, "_sock", None)
    if new_reader is None or not isinstance(sock, socket.socket):
        return DriverChannel(connection)
    if _keeps_time(sock):
        _let_kernel_keep_time(sock, timeout)
    return SocketChannel(sock, new_reader)


def _keeps_time(sock: socket.socket) -> bool:
    """Say whether the kernel can end a call in time: not under TLS, and not where gevent or eventlet put their sockets in the place."""
    plain = type(sock) is socket.socket and type(sock).__module__ == "socket"
    return plain and sys.platform == "linux" and sys.maxsize > 2**32


def _let_kernel_keep_time(sock: socket.socket, timeout: float) -> None:
    seconds, fraction = divmod(timeout, 1.0)
    value = struct.pack("@ll", int(seconds), max(int(fraction * 1_000_000), 0 if seconds else 1_000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
    sock.settimeout(None)
