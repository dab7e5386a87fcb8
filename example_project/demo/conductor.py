"""Start everything, watch it, end everything: servers, migrations, seed, web server, Celery, traffic; in this order and back."""

import math
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from cache_consistency.testing.servers import PostgresServer, RedisServer, ServerFailed, ServerMissing, free_port
from example_project import environment as shop_environment
from example_project.demo import control, screen
from example_project.demo.board import Board, Count, Counts
from example_project.demo.options import Options
from example_project.demo.processes import Child, Died, end_all, run
from example_project.reads import Mode

if TYPE_CHECKING:
    from cache_consistency.stores.base import Store

RUN_FILE = shop_environment.RUN_FILE
_TICK = 0.5
_STARTUP = 60.0


class Conductor:
    """One demonstration, from the first server to the last process."""

    def __init__(self, options: Options, show: screen.Screen) -> None:
        self.options = options
        self.show = show
        self.children: list[Child] = []
        self.redis: RedisServer | None = None
        self.environment: dict[str, str] = {}
        self.control = control.Control()
        self.url = ""

    def run(self) -> int:
        """Return the exit code: 0, or 1 if a stale read was seen."""
        began = time.monotonic()
        with ExitStack() as ending:
            ending.callback(self.control.close)
            self._start_servers(ending)
            self._fill_shop()
            board = self._set_stage(ending)
            ending.callback(lambda: end_all(self.children))
            self._start_processes()
            self._wait_for_traffic(board)
            control.write_run_file(RUN_FILE, control=self.control, environment=self._lent(), url=self.url)
            ending.callback(lambda: RUN_FILE.unlink(missing_ok=True))
            self.show.say(self._banner(time.monotonic() - began))
            return self._watch(board)

    # servers and shop
    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.show.say(f"  {what:<42} {time.monotonic() - began:5.1f} s")

    def _start_servers(self, ending: ExitStack) -> None:
        self.environment = {**os.environ, "CACHE": self.options.cache.value, "DEBUG": "0", "PYTHONUNBUFFERED": "1"}
        if "REDIS_URL" not in os.environ:
            with self._step("private redis-server"):
                place = self.options.directory / "redis"
                place.mkdir(exist_ok=True)
                self.redis = RedisServer(with_parent=True, directory=place)
                ending.callback(self.redis.close)
                self.redis.start()
            self.environment["REDIS_URL"] = self.redis.url
        if self.options.postgres:
            with self._step("private PostgreSQL"):
                postgres = PostgresServer(with_parent=True)
                ending.callback(postgres.close)
                postgres.start()
            self.environment["DATABASE_URL"] = postgres.url
        elif "DATABASE_URL" not in os.environ:
            for left in self.options.directory.glob("shop.sqlite3*"):
                left.unlink()
            self.environment["DATABASE_URL"] = f"sqlite:///{self.options.directory / 'shop.sqlite3'}"
        if "CELERY_BROKER_URL" not in os.environ:
            self.environment["CELERY_BROKER_URL"] = shop_environment.redis_database(self.environment["REDIS_URL"], 2)

    def _fill_shop(self) -> None:
        with self._step("migrations"):
            run(["manage.py", "migrate", "--verbosity", "0"], environment=self.environment)
        self._set_up_django()
        from example_project import seeding

        if seeding.is_seeded():
            seeding.make_user("admin", "admin", staff=True)
            seeding.make_user("customer", "customer", staff=False)
            self.show.say("  the shop of DATABASE_URL has goods already; it is used as it is")
            return
        size = self.options.size
        with self._step(f"seed: {size.products} products, {size.customers} customers, {size.orders} orders"):
            numbers = ["--products", str(size.products), "--customers", str(size.customers), "--orders", str(size.orders)]
            run(["manage.py", "seed", "--logins", *numbers], environment=self.environment, show=self.show.terminal)

    def _set_up_django(self) -> None:
        os.environ.update({name: value for name, value in self.environment.items() if os.environ.get(name) != value})
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
        self.environment["DJANGO_SETTINGS_MODULE"] = os.environ["DJANGO_SETTINGS_MODULE"]
        import django

        django.setup()

    def _set_stage(self, ending: ExitStack) -> Board:
        from django.db import connections

        from example_project.demo.stage import set_stage

        board = set_stage(self.options.directory, workers=self.options.readers + self.options.writers)
        connections.close_all()
        ending.callback(board.close)
        return board

    # processes
    def _start_processes(self) -> None:
        directory, options = self.options.directory, self.options
        port = options.port or _preferred_port(8000)
        self.url = f"http://127.0.0.1:{port}/"
        celery = ["-m", "celery", "--app", "example_project"]
        quiet = ["--loglevel", "WARNING"]
        self._start("web", "manage.py", "runserver", "--noreload", "--insecure", f"127.0.0.1:{port}")
        self._start("worker", *celery, "worker", "--pool", "solo", "--without-gossip", "--without-mingle", *quiet)
        self._start("beat", *celery, "beat", "--schedule", str(directory / "beat"), "--pidfile", "", *quiet)
        for number in range(options.readers):
            self._start(f"reader-{number + 1}", "-m", "example_project.demo.traffic", "reader", str(number), str(directory))
        for number in range(options.readers, options.readers + options.writers):
            name = f"writer-{number - options.readers + 1}"
            self._start(name, "-m", "example_project.demo.traffic", "writer", str(number), str(directory))

    def _start(self, name: str, *arguments: str) -> None:
        self.children.append(Child(name, arguments, environment=self.environment, logs=self.options.directory))

    def _wait_for_traffic(self, board: Board) -> None:
        """Until every worker has begun and the web server takes connections."""
        with self._step("web server, Celery, traffic"):
            deadline = time.monotonic() + _STARTUP
            while not (board.counts()[Count.READY] == board.roster.workers and _answers(self.url)):
                self._require_all()
                if time.monotonic() > deadline:
                    raise Died(f"The traffic did not begin within {_STARTUP:.0f} s; see the logs in {self.options.directory}")
                time.sleep(0.05)

    def _require_all(self) -> None:
        for child in self.children:
            child.require()

    # the show
    def _watch(self, board: Board) -> int:
        began, before, since = time.monotonic(), board.counts(), time.monotonic()
        first = before
        stopped = False
        with _interruptible():
            while not stopped:
                try:
                    self.control.serve(self.answer, timeout=_TICK)
                    self._require_all()
                    now, counts = time.monotonic(), board.counts()
                    if now - since >= _TICK:
                        self._show_moment(elapsed=now - began, seconds=now - since, rate=counts - before, total=counts - first)
                        before, since = counts, now
                    stopped = self.options.seconds is not None and now - began >= self.options.seconds
                except KeyboardInterrupt:
                    stopped = True
        return self._close(board.counts() - first, time.monotonic() - began)

    def _show_moment(self, *, elapsed: float, seconds: float, rate: Counts, total: Counts) -> None:
        moment = screen.Moment(elapsed=elapsed, seconds=seconds, rate=rate, total=total, redis=self.redis_state())
        self.show.live(moment)

    def _close(self, total: Counts, seconds: float) -> int:
        self.show.say()
        self.show.say(screen.summary(total, seconds=seconds, mode=self.options.cache, examples=_examples(self.options.directory)))
        if total[Count.ERRORS]:
            self.show.say(f"What failed is described in the logs in {_short(self.options.directory)}.")
        return 1 if total[Count.STALE] else 0

    def redis_state(self) -> str:
        if self.redis is not None and not self.redis.running:
            return "redis: down"
        store = _store() if self.options.cache is Mode.CONSISTENT else None
        return _store_state(store) if store is not None else ""

    def answer(self, command: str) -> str:
        """Carry out what a second terminal asks for."""
        redis = self.redis
        if redis is None:
            return "This demonstration uses the Redis of REDIS_URL; it is not ours to stop."
        if command == "redis stop":
            redis.stop()
            return "Redis is stopped. The shop goes on, from the database."
        if command == "redis start":
            redis.start()
            return f"Redis runs again on port {redis.port} (pid {redis.pid}), empty: for a while nothing is stored, then hits come back."
        if command == "redis status":
            return f"Redis runs on port {redis.port} (pid {redis.pid})." if redis.running else "Redis is stopped."
        return ""

    def _lent(self) -> dict[str, str]:
        return {name: self.environment[name] for name in ("REDIS_URL", "DATABASE_URL", "CELERY_BROKER_URL", "CACHE")}

    def _banner(self, seconds: float) -> str:
        call = f"{_python()} -m example_project.demo"
        lines = [
            "",
            f"The shop is open after {seconds:.0f} s; {self.options.readers} readers and {self.options.writers} writers are in it.",
            "",
            f"  Shop          {self.url}           (sign in as customer / customer)",
            f"  Admin         {self.url}admin/     (admin / admin)",
            f"  Reads         CACHE={self.options.cache.value}, database {self._database()}",
        ]
        if self.redis is not None:
            lines += [
                f"  Stop Redis    {call} redis stop     (or: kill {self.redis.pid}; it listens on port {self.redis.port})",
                f"  Start Redis   {call} redis start    (it comes back empty, on the same port)",
            ]
        lines += [f"  Logs          {_short(self.options.directory)}", "  End           Ctrl-C", ""]
        return "\n".join(lines)

    def _database(self) -> str:
        return "SQLite" if self.environment["DATABASE_URL"].startswith("sqlite") else "PostgreSQL"


def conduct(options: Options, show: screen.Screen) -> int:
    """
    Run a demonstration from beginning to end.

    :return: 0; 1 if a stale read was seen; 2 if it could not begin; 3 if one of its processes ended by itself; 130 if it was interrupted
        before the traffic began.
    """
    found = control.running(RUN_FILE)
    if found is not None:
        show.say(f"A demonstration runs from this checkout already (pid {found['pid']}): {found['url']}")
        return 2
    options.directory.mkdir(parents=True, exist_ok=True)
    RUN_FILE.parent.mkdir(parents=True, exist_ok=True)
    # also SIGINT: a shell that starts us in the background has it ignored, and Python leaves it so
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _as_ctrl_c)
    try:
        return Conductor(options, show).run()
    except KeyboardInterrupt:
        show.say("Interrupted; everything that was started has ended.")
        return 130
    except (ServerMissing, ServerFailed) as failure:
        show.say(str(failure))
        return 2
    except Died as failure:
        show.say(f"{failure}\nEverything else was ended.")
        return 3


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _interruptible() -> Iterator[None]:
    """Until here an interruption breaks off; afterwards, while things are being ended, a second one must not leave half of them behind."""
    yield
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _store() -> "Store | None":
    from cache_consistency import stores

    return stores.current()


def _store_state(store: "Store") -> str:
    """Say what keeps hits away: no answer, or an epoch so young that nothing is stored under it."""
    from cache_consistency.conf import app_settings
    from cache_consistency.exceptions import StoreError

    try:
        left = app_settings().QUARANTINE - store.epoch().age
    except StoreError:
        return "redis: does not answer"
    return f"quarantine, {math.ceil(left)} s left" if left > 0 else ""


def _preferred_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port


def _answers(url: str) -> bool:
    host, _, port = url.removeprefix("http://").strip("/").partition(":")
    try:
        with socket.create_connection((host, int(port)), 1.0):
            return True
    except OSError:
        return False


def _examples(directory: Path, *, at_most: int = 3) -> list[str]:
    """Return a few stale reads as the readers described them."""
    described = (
        line.partition("stale: ")[2]
        for log in sorted(directory.glob("reader-*.log"))
        for line in log.read_text(errors="replace").splitlines()
        if "stale: " in line
    )
    return [f"e.g. {text}" for text, _ in zip(described, range(at_most), strict=False)]


def _short(path: Path) -> str:
    """Return the path as one would type it here."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


def _python() -> str:
    return _short(Path(sys.executable))
