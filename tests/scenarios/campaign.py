"""
The adversary: several processes write and read the same rows in every way, while faults happen; then every read is judged.

    python -m tests.scenarios.campaign --seconds 60 --database postgres --faults flush,kill-writer,pause

Prints reads, hits, and stale reads per million with the bound that none of n proves; exits 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import redis

from cache_consistency.testing.servers import PostgresServer, RedisServer, end_with_parent
from tests.scenarios.judging import Verdict, judge

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 20.0
"""Seconds that a process has to end in after it was told to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    database: str = "sqlite"
    seconds: float = 10.0
    faults: tuple[str, ...] = ()
    every: float = 3.0
    """Seconds between two faults; after a loss of memory the store stays empty for one of them."""
    writers: int = 2
    readers: int = 2
    seed: int = 1


class Hung(Exception):
    """A process did not end when it was told to."""


class Crew:
    """The processes of one campaign."""

    def __init__(self, options: Options, directory: Path, environment: dict[str, str]) -> None:
        self._options, self._directory, self._environment = options, directory, environment
        self._random = random.Random(options.seed)
        self.killed = 0
        self._all: list[tuple[str, int, subprocess.Popen[bytes]]] = []

    def start(self) -> None:
        """Start all of them, and return when each is about to do its first thing."""
        for kind, count in (("writer", self._options.writers), ("reader", self._options.readers)):
            for number in range(count):
                self._launch(kind, number)
        deadline = time.monotonic() + 3 * PATIENCE
        while len(list(self._directory.glob("*.notes"))) < len(self._all):
            if time.monotonic() > deadline or any(process.poll() is not None for _, _, process in self._all):
                raise Hung("".join(self._log(kind, number) for kind, number, _ in self._all))
            time.sleep(0.05)

    def kill(self, kind: str) -> None:
        """Kill one of them while it is about to write something, and start another in its place."""
        found = self._random.choice([item for item in self._all if item[0] == kind and item[2].poll() is None])
        before, until = self._noted(found[2]), time.monotonic() + PATIENCE
        while self._noted(found[2]) == before and time.monotonic() < until:
            time.sleep(0.0005)
        time.sleep(self._random.random() * 0.004)
        found[2].kill()
        found[2].wait()
        self._all.remove(found)
        self.killed += 1
        self._launch(kind, found[1])

    def end(self) -> None:
        """
        Tell all of them to end; what they still owe is paid then.

        :raises Hung: one did not.
        :raises AssertionError: one failed.
        """
        for kind in ("reader", "writer"):
            for _, _, process in (item for item in self._all if item[0] == kind):
                process.terminate()
        for kind, number, process in self._all:
            try:
                code = process.wait(PATIENCE)
            except subprocess.TimeoutExpired as error:
                raise Hung(f"{kind} {number} does not end") from error
            # one that was started in a killed one's place just now may not have come so far as to listen to the signal
            assert code in (0, -signal.SIGTERM), f"{kind} {number} ended with {code}: {self._log(kind, number)}"

    def close(self) -> None:
        for _, _, process in self._all:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _launch(self, kind: str, number: int) -> None:
        seed = self._options.seed * 1000 + len(self._all) + 17 * self.killed
        arguments = [str(number), str(seed)] if kind == "writer" else [str(seed)]
        with (self._directory / f"{kind}-{number}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"tests.scenarios.{kind}", str(self._directory), *arguments],
                cwd=ROOT, env=self._environment, stdout=log, stderr=log, preexec_fn=end_with_parent(),
            )  # fmt: skip
        self._all.append((kind, number, process))

    def _noted(self, process: subprocess.Popen[bytes]) -> int:
        """Return how many bytes of notes a process has written."""
        return sum(path.stat().st_size for path in self._directory.glob(f"{process.pid}-*.notes"))

    def _log(self, kind: str, number: int) -> str:
        return (self._directory / f"{kind}-{number}.log").read_text(errors="replace")[-2000:]


class Faults:
    """What can happen to the store and to the processes."""

    def __init__(self, server: RedisServer, crew: Crew) -> None:
        self._server, self._crew = server, crew

    def _tell(self, command: str) -> None:
        with redis.Redis.from_url(self._server.url) as client:
            client.execute_command(command)

    def flush(self) -> None:
        self._tell("FLUSHALL")

    def forget_scripts(self) -> None:
        self._tell("SCRIPT FLUSH")

    def restart_empty(self) -> None:
        self._server.kill()
        self._server.start_empty()

    def restart_from_dump(self) -> None:
        """Go back to what the store knew a second ago."""
        self._server.dump()
        time.sleep(1.0)
        self._server.kill()
        self._server.start()

    def pause(self) -> None:
        """Do not answer for longer than anybody waits, then answer all of it."""
        with self._server_paused():
            time.sleep(0.7)

    def pause_past_marks(self) -> None:
        with self._server_paused():
            time.sleep(1.6)

    @contextlib.contextmanager
    def _server_paused(self) -> Iterator[None]:
        self._server.pause()
        try:
            yield
        finally:
            self._server.resume()

    def kill_writer(self) -> None:
        self._crew.kill("writer")

    def kill_reader(self) -> None:
        self._crew.kill("reader")

    def named(self, name: str) -> Callable[[], None]:
        found: Callable[[], None] = getattr(self, name.replace("-", "_"))
        return found


FAULTS = tuple(name.replace("_", "-") for name, member in vars(Faults).items() if callable(member) and not name.startswith("_")
               and name != "named")  # fmt: skip


def run(options: Options) -> Verdict:
    """Run a campaign on servers of its own and return what came of it."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cc-campaign-")))
        server = stack.enter_context(RedisServer(with_parent=True))
        environment = {
            **os.environ, "DJANGO_SETTINGS_MODULE": "tests.scenarios.settings", "CACHE_CONSISTENCY_TEST_REDIS_URL": server.url,
            "CACHE_CONSISTENCY_TEST_SQLITE_DEFAULT": str(directory / "campaign.sqlite3"),
        }  # fmt: skip
        environment.pop("CACHE_CONSISTENCY_TEST_DATABASE_URL", None)
        if options.database == "postgres":
            postgres = stack.enter_context(PostgresServer("deadlock_timeout=100ms", fsync=False, with_parent=True))
            environment["CACHE_CONSISTENCY_TEST_DATABASE_URL"] = postgres.url
        subprocess.run([sys.executable, "-m", "tests.scenarios.ground"], cwd=ROOT, env=environment, check=True)
        crew = Crew(options, directory, environment)
        stack.callback(crew.close)
        crew.start()
        _trouble(options, Faults(server, crew))
        crew.end()
        return judge(directory)


def _trouble(options: Options, faults: Faults) -> None:
    """Let faults happen until the time is over."""
    choose, until = random.Random(options.seed), time.monotonic() + options.seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(options.every, left))
        if options.faults and until - time.monotonic() > options.every:
            faults.named(choose.choice(options.faults))()


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.campaign", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"some of {','.join(FAULTS)}; 'none' for none")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two faults")
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    faults = () if given.faults == "none" else tuple(given.faults.split(","))
    if unknown := set(faults) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    return Options(**{**vars(given), "faults": faults})


def main(arguments: Sequence[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = _options(arguments)
    print(f"{options.database}, {options.seconds:g} s, {options.writers} writers, {options.readers} readers, seed {options.seed}, "
          f"faults {', '.join(options.faults) or 'none'}")  # fmt: skip
    verdict = run(options)
    print(verdict)
    print("forms     ", ", ".join(f"{form} {times}" for form, times in verdict.forms.items()))
    return 0 if verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
