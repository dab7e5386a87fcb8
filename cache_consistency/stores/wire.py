"""
The wire: the driver's connection as we use it, and commands as bytes.

The driver's own packer encodes and measures every part by itself; our keys are ASCII texts, joined and encoded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol


class Connection(Protocol):
    """What we use of the driver's connection, which has no types of its own."""

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def on_connect(self) -> None: ...
    def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None: ...  # noqa: FBT001, FBT002  # the driver's
    def read_response(self) -> Any: ...


_MGET = [f"*{count + 1}\r\n$4\r\nMGET" for count in range(64)]
_LENGTH = [f"\r\n${length}\r\n" for length in range(512)]


def mget(keys: Sequence[str]) -> bytes:
    """
    Pack ``MGET keys``.

    :raises UnicodeEncodeError: a key is not ASCII; nothing was sent.
    """
    count = len(keys)
    parts = [_MGET[count] if count < 64 else f"*{count + 1}\r\n$4\r\nMGET"]
    for key in keys:
        length = len(key)
        parts.append(_LENGTH[length] if length < 512 else f"\r\n${length}\r\n")
        parts.append(key)
    parts.append("\r\n")
    return "".join(parts).encode("ascii")


def command(*words: str) -> bytes:
    """Pack one command of ASCII words."""
    return (f"*{len(words)}\r\n" + "".join([f"${len(word)}\r\n{word}\r\n" for word in words])).encode("ascii")


def text_command(words: Iterable[str]) -> bytes:
    """Pack one command whose words may hold any character (the source of a script does)."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded])


def set_px(key: str, value: bytes, ttl_ms: int) -> bytes:
    """Pack ``SET key value PX ttl_ms``."""
    milliseconds = str(ttl_ms)
    head = f"*5\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${len(value)}\r\n"
    return b"".join((head.encode("ascii"), value, f"\r\n$2\r\nPX\r\n${len(milliseconds)}\r\n{milliseconds}\r\n".encode("ascii")))
