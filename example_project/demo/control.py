"""
How a second terminal tells a running demonstration to stop and start its Redis.

The conductor listens on a loopback port; which, and the secret that a caller has to know, stand in the run file that only its user
may read.
One line is asked, one is answered.
"""

import json
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_PATIENCE = 30.0


class NotRunning(Exception):
    """No demonstration runs from this checkout."""


class Control:
    """The conductor's side; `serve` is called in its loop, so that everything is started and ended by one thread."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.secret = secrets.token_hex(16)

    def serve(self, answer: Callable[[str], str], *, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for one caller and answer; a caller that does not know the secret gets nothing."""
        self._listener.settimeout(timeout)
        try:
            caller, _ = self._listener.accept()
        except TimeoutError:
            return
        with caller:
            caller.settimeout(1.0)
            try:
                secret, _, command = caller.makefile("r").readline().strip().partition(" ")
                if secrets.compare_digest(secret.encode(), self.secret.encode()):
                    caller.sendall(f"{answer(command)}\n".encode())
            except (OSError, ValueError):
                return  # the caller went away, or sent what is no text

    def close(self) -> None:
        self._listener.close()


def write_run_file(path: Path, *, control: Control, environment: Mapping[str, str], url: str) -> None:
    """Say that a demonstration runs, where, and on which servers; readable by this user only."""
    text = json.dumps({"pid": os.getpid(), "port": control.port, "secret": control.secret, "url": url, "environment": dict(environment)})
    part = path.with_suffix(f".{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)


def running(path: Path) -> dict[str, Any] | None:
    """Return what the run file says, if the process that wrote it is alive."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        os.kill(int(found["pid"]), 0)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found


def ask(path: Path, command: str) -> str:
    """
    Send ``command`` to the demonstration and return its answer.

    :raises NotRunning: there is none, or it went away meanwhile.
    """
    found = running(path)
    if found is None:
        raise NotRunning("No demonstration is running from this checkout; start one with: make demo")
    try:
        with socket.create_connection(("127.0.0.1", found["port"]), _PATIENCE) as conversation:
            conversation.sendall(f"{found['secret']} {command}\n".encode())
            answer = conversation.makefile("r").readline().strip()
    except OSError as error:
        raise NotRunning(f"The demonstration (pid {found['pid']}) does not answer: {error}") from error
    return answer or "The demonstration did not understand that."
