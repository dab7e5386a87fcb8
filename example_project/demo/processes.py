"""
The processes that a demonstration starts, and how they end.

Each leads a session, and so a process group, of its own: a signal to the group reaches the process and whatever it started (Celery's pool),
and nobody else. On Linux the kernel ends them with the conductor even if that is killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cache_consistency.testing.servers import end_with_parent
from example_project.environment import BASE


class Died(Exception):
    """A process that should have gone on has ended; the message has the end of its log."""


class Child:
    """One process; what it prints goes to ``<name>.log``."""

    def __init__(self, name: str, arguments: Sequence[str], *, environment: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments], cwd=BASE, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=end_with_parent(),
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def log_end(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def require(self) -> None:
        """:raises Died: it has ended."""
        if (code := self._process.poll()) is not None:
            raise Died(f"{self.name} ended with code {code}. The end of {self.log}:\n{self.log_end()}")

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    def end(self, *, deadline: float) -> None:
        """Wait until ``deadline`` (monotonic seconds) for the process to end, then kill its group."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._signal_group(signal.SIGKILL)  # what it started and left behind, if anything

    def _signal(self, number: int) -> None:
        # The group's number is free again only after its leader was reaped, and poll() is what reaps it.
        if self._process.poll() is None:
            self._signal_group(number)

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # nobody is left in the group


def end_all(children: Sequence[Child], *, patience: float = 8.0) -> None:
    """Ask all of them at once, wait for each, kill who does not listen within ``patience`` seconds."""
    for child in children:
        child.ask_to_end()
    deadline = time.monotonic() + patience
    for child in children:
        child.end(deadline=deadline)


def run(arguments: Sequence[str], *, environment: Mapping[str, str], show: bool = False) -> None:
    """
    Run a step of the preparations to its end.

    :param show: let it print to the terminal (progress bars); else only what it says when it fails is shown.
    :raises Died: it failed.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=BASE, env=dict(environment), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=None if show else subprocess.STDOUT, start_new_session=True, preexec_fn=end_with_parent(),
    )  # fmt: skip
    try:
        said, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        raise Died(f"{' '.join(arguments)} ended with code {process.returncode}:\n{said[-3000:]}")
