"""
One private server process: started in its own session, answering before ``start`` returns, ended by its pid.

The process leads a session of its own, so a Ctrl-C in the terminal reaches whoever started it and not the server: the owner decides
the order in which things end.
"""

import contextlib
import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cache_consistency.exceptions import CacheConsistencyError

_PR_SET_PDEATHSIG = 1


class ServerMissing(CacheConsistencyError):
    """No usable binary on this machine; the message says where we looked and what to type."""


class ServerFailed(CacheConsistencyError):
    """The binary is there, but the server did not come up, or did not do what it was told; carries the end of its log."""


def free_port() -> int:
    """Return a TCP port that was free on loopback a moment ago; somebody may still take it, so be ready to ask again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_with_parent() -> Callable[[], None] | None:
    """
    Return what a child runs before exec so that the kernel ends it with its parent, even after ``kill -9``; Linux only, else None.

    The kernel watches the *thread* that starts the child: use it from a main thread only.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class PrivateServer:
    """What `RedisServer` and `PostgresServer` share: a directory, a port, a process, and how these end."""

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self, *, port: int | None, directory: Path | None, with_parent: bool) -> None:
        self._asked_port = port
        self._port = port
        self._asked_directory = directory
        self._directory = directory
        self._with_parent = with_parent
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    # what a kind of server has to say about itself
    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _prepare(self) -> None:
        """Run once, before the first start."""

    def _answers(self) -> bool:
        raise NotImplementedError

    def _account(self) -> tuple[int, int] | None:
        """Return the (uid, gid) to run as, or None for our own."""
        return None

    # what a user of it sees
    @property
    def port(self) -> int:
        if self._port is None:
            raise ServerFailed(f"{self.name} has no port yet: it was never started")
        return self._port

    @property
    def directory(self) -> Path:
        if self._directory is None:
            raise ServerFailed(f"{self.name} has no directory yet: it was never started")
        return self._directory

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout: float = 30.0) -> Self:
        """
        Start, and return when the server answers; a second start keeps port and directory, so that clients find it again.

        :param timeout: seconds to wait for the first answer.
        :raises ServerFailed: it ended at once or did not answer; the message has the end of its log.
        """
        if self.running:
            return self
        first = self._directory is None
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix=f"cc-{self.name}-"))
        try:
            if self._port is None:
                self._prepare_first(timeout)
            else:
                self._prepare()
                self._launch(timeout)
        except BaseException:
            if first:
                self.close()  # a `with` whose beginning fails has no end that would
            raise
        return self

    def stop(self, *, timeout: float = 15.0) -> None:
        """End it in an orderly way, by pid, and wait; one that does not end within ``timeout`` seconds is killed."""
        if self._process is None:
            return
        self.resume()
        self._signal(self.stop_signal)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as ``kill -9`` does: nothing is written, clients see a reset connection."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process, self._paused = None, False

    def pause(self) -> None:
        """Stop it from answering (SIGSTOP): connections stay open, nothing comes back."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let it go on after `pause`; what was sent meanwhile is answered now."""
        if self._paused:
            self._signal(signal.SIGCONT)
            self._paused = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop it and remove the directory, if it is one that we made."""
        self.stop()
        if self._asked_directory is None and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
        self._port = self._asked_port

    # the mechanics
    def _prepare_first(self, timeout: float) -> None:
        """Take a free port; between asking for it and binding it somebody else may be quicker, hence three attempts."""
        for attempt in range(3):
            self._port = free_port()
            self._prepare()
            try:
                self._launch(timeout)
                return
            except ServerFailed as failure:
                self._port = None
                if attempt == 2 or "in use" not in str(failure):
                    raise

    def _launch(self, timeout: float) -> None:
        uid, gid = self._account() or (None, None)
        with self._log("wb") as log:
            self._process = subprocess.Popen(
                list(self._command()), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, user=uid, group=gid, extra_groups=None if uid is None else [],
                preexec_fn=end_with_parent() if self._with_parent else None,
            )  # fmt: skip
        try:
            self._wait_until_it_answers(timeout)
        except BaseException:
            self.kill()
            raise

    def _wait_until_it_answers(self, timeout: float) -> None:
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while not self._answers():
            if (code := self._process.poll()) is not None:
                raise ServerFailed(f"{self.name} ended with code {code} before it answered:\n{self.log_end()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not answer on port {self._port} within {timeout:g} s:\n{self.log_end()}")
            time.sleep(0.01)

    def log_end(self, *, lines: int = 15) -> str:
        """Return the last lines of what the server printed since its last start."""
        with contextlib.suppress(FileNotFoundError), self._log("rb") as log:
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    def _log(self, mode: str) -> IO[bytes]:
        opened: IO[bytes] = (self.directory / f"{self.name}.log").open(mode)
        return opened

    def _signal(self, number: int) -> None:
        # Popen.send_signal looks first whether the process was reaped, so a pid that was given away is never hit.
        if self._process is not None:
            self._process.send_signal(number)
