"""The whole demonstration, small and short: real servers, real processes, real traffic."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cache_consistency.testing.servers import find_postgres, find_redis_server
from tests.servers import require

ROOT = Path(__file__).resolve().parent.parent.parent
Start = Callable[..., "Demonstration"]


class Demonstration:
    def __init__(self, place: Path, **environment: str) -> None:
        small = {"PRODUCTS": "60", "CUSTOMERS": "10", "ORDERS": "10", "READERS": "1", "WRITERS": "2", "WRITE_RATE": "40"}
        # A fresh epoch stores nothing for as long as this. Shorter, but not by much: a process that found the store away asks it again
        # after up to 5 s only, and what it commits until then is unmarked.
        soon = {"CACHE_CONSISTENCY_QUARANTINE": "7", "CACHE_CONSISTENCY_MARK_TTL": "5"}
        own = {"DEMO_DIR": str(place), "DEMO_RUN_FILE": str(place / "demo.json"), "PORT": "", "DATABASE_URL": "", "REDIS_URL": ""}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CACHE_CONSISTENCY", "DJANGO_SETTINGS", "COV_"))}
        self.environment = inherited | small | soon | own | environment
        for name in ("DATABASE_URL", "REDIS_URL"):
            del self.environment[name]
        self.run_file = place / "demo.json"
        self.log = place / "log"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "example_project.demo"], cwd=ROOT, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.said: list[str] = []

    def wait_for(self, text: str) -> None:
        """Read what it says until a line holds ``text``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if text in line:
                return
        pytest.fail(f"it never said {text!r}:\n{''.join(self.said)}")

    def tell(self, *command: str) -> str:
        arguments = [sys.executable, "-m", "example_project.demo", *command]
        return subprocess.run(arguments, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True).stdout

    def end(self) -> int:
        """Read to the end; return the exit code."""
        rest, _ = self.process.communicate(timeout=60)
        self.said.append(rest)
        return self.process.returncode

    @property
    def text(self) -> str:
        return "".join(self.said)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    require(find_redis_server)
    started: list[Demonstration] = []

    def begin(**environment: str) -> Demonstration:
        started.append(Demonstration(tmp_path, **environment))
        return started[-1]

    yield begin
    for demonstration in started:
        if demonstration.process.poll() is None:
            demonstration.process.terminate()
            demonstration.process.communicate(timeout=60)


def members(demonstration: Demonstration) -> set[int]:
    """Return the processes of a demonstration: those that have its directory in their environment."""
    mark, found = f"DEMO_DIR={demonstration.environment['DEMO_DIR']}".encode(), set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.add(int(process.name))
        except OSError:
            continue  # it ended meanwhile, or belongs to another user
    return found


def test_redis_is_stopped_and_started_under_traffic_and_no_read_is_stale(start: Start) -> None:
    demonstration = start(SECONDS="20")
    demonstration.wait_for("stale reads")
    assert "Redis is stopped" in demonstration.tell("redis", "stop")
    demonstration.wait_for("redis: down")
    assert "stopped" in demonstration.tell("redis", "status")
    assert "empty" in demonstration.tell("redis", "start")
    demonstration.wait_for("quarantine")
    assert demonstration.end() == 0, demonstration.text
    assert "Stale reads: 0; fewer than" in demonstration.text
    assert "errors 0." in demonstration.text
    assert "Hits 0.0 %" not in demonstration.text
    assert not demonstration.run_file.exists()


def test_the_old_caching_goes_stale_and_says_so(start: Start) -> None:
    demonstration = start(CACHE="naive", SECONDS="4")
    assert demonstration.end() == 1, demonstration.text
    assert "per million." in demonstration.text
    assert "stale reads are what it is shown for" in demonstration.text


def test_an_interruption_ends_every_process_and_leaves_a_summary(start: Start) -> None:
    demonstration = start(CACHE="off")
    demonstration.wait_for("stale reads")
    lent = json.loads(demonstration.run_file.read_text())
    assert lent["pid"] == demonstration.process.pid
    assert len(members(demonstration)) == 7  # conductor, web, worker, beat, a reader, two writers; redis-server writes over its environment
    redis = int(demonstration.tell("redis", "status").rpartition("(pid ")[2].rstrip(").\n"))
    assert Path(f"/proc/{redis}").exists()
    demonstration.process.send_signal(signal.SIGINT)
    assert demonstration.end() == 0, demonstration.text
    assert "every one checked" in demonstration.text
    assert members(demonstration) == set()
    assert not Path(f"/proc/{redis}").exists()


def test_a_private_postgres_serves_the_same_shop(start: Start) -> None:
    require(find_postgres)
    demonstration = start(DB="postgres", SECONDS="5")
    assert demonstration.end() == 0, demonstration.text
    assert "database PostgreSQL" in demonstration.text
    assert "Stale reads: 0; fewer than" in demonstration.text
