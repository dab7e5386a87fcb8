"""
``python -m tests.bench [--smoke]``: a private redis-server and PostgreSQL with fsync, everything in turns in one process.

Each case is measured in both placements: everything on one core, and the servers on another one than the client, because what a round
trip costs differs by a factor of three. Figures are printed with their marks; none of them decides the exit code, for a loaded machine
would.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cache_consistency.testing.servers import PostgresServer, RedisServer, find_postgres, find_redis_server

if TYPE_CHECKING:
    from tests.bench.cases import Case
    from tests.bench.measuring import Times


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure cached reads and captured writes.")
    parser.add_argument("--smoke", action="store_true", help="few calls, one placement: does it run")
    options = parser.parse_args()
    if find_redis_server() is None or find_postgres() is None:
        print("the bench needs a redis-server and PostgreSQL: apt-get install redis-server postgresql", file=sys.stderr)
        return 2
    with RedisServer() as redis, PostgresServer() as postgres:
        os.environ.update({
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "CACHE_CONSISTENCY_TEST_DATABASE_URL": postgres.url,
            "CACHE_CONSISTENCY_TEST_REDIS_URL": redis.url,
            "CACHE_CONSISTENCY_CACHE": "consistent",
            "CACHE_CONSISTENCY_QUARANTINE": "0",
            "CACHE_CONSISTENCY_TIMEOUT": "5",
        })
        import django
        django.setup()
        prepare()
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        placements = {"as it comes": None} if options.smoke or len(cores) < 2 else {
            "all on one core": (cores[0], cores[0]), "servers on another core": (cores[0], cores[1]),
        }
        for name, placed in placements.items():
            print(f"\n## {name}\n")
            with pinned(placed, servers=[redis.pid, postgres.pid]):
                measure(redis.port, rounds=3 if options.smoke else 20)
        print("\n## Round trips to the store\n")
        round_trips()
    return 0


def prepare() -> None:
    """Make the tables and rows; an entry is asked for by the cases themselves."""
    from django.core.management import call_command

    from tests.bench import cases
    call_command("migrate", database=cases.DATABASE, run_syncdb=True, verbosity=0)
    cases.fill()


@contextmanager
def pinned(placed: tuple[int, int] | None, *, servers: list[int]) -> Iterator[None]:
    """Pin this process and the servers (whose new processes inherit it) to one core each, and open new connections."""
    from django.db import connections

    from cache_consistency import stores
    if placed is None:
        yield
        return
    before, (client, others) = os.sched_getaffinity(0), placed
    connections.close_all()
    store = stores.current()
    if store is not None:
        store.forget()
    os.sched_setaffinity(0, {client})
    for pid in servers:
        os.sched_setaffinity(pid, {others})
    yield
    os.sched_setaffinity(0, before)


def measure(port: int, *, rounds: int) -> None:
    from cache_consistency.capture import hooks
    from tests.bench.cases import cases
    from tests.bench.measuring import in_turns
    print(f"{'':<40} {'way':<18} {'p50 µs':>9} {'p99 µs':>9} {'ratio':>8}  mark")
    with socket.create_connection(("127.0.0.1", port)) as redis:
        for case in cases(redis):
            found = in_turns(case.ways, rounds=rounds, calls=case.calls)
            hooks.install()
            show(case, found)


def show(case: Case, found: Mapping[str, Times]) -> None:
    ratio = found[case.numerator].p50 / found[case.denominator].p50
    verdict = f"{'≥' if case.at_least else '≤'} {case.mark}  {'reached' if case.reaches(ratio) else 'MISSED'}"
    for number, (way, times) in enumerate(found.items()):
        head, tail = (case.name, f"{ratio:7.2f}×  {verdict}") if not number else ("", "")
        print(f"{head:<40} {way:<18} {times.p50 * 1e6:9.1f} {times.p99 * 1e6:9.1f} {tail}", flush=True)
    if "raw GET" in found:
        against = found["cached.get"].p50 / found["raw GET"].p50
        print(f"{'':<40} {'against raw GET':<18} {'':>19} {against:7.2f}×  (≤ 1.8 on one core in the end)", flush=True)


def round_trips() -> None:
    """Count what writing transactions ask of the store."""
    from django.db import transaction

    from cache_consistency import stores
    from tests.bench.cases import DATABASE
    from tests.shelf.models import MeasuredByLookups
    from tests.shelf.watched import WatchedStore
    inner = stores.current()
    assert inner is not None
    rows = list(MeasuredByLookups.objects.using(DATABASE).order_by("pk")[:40])

    def save(number: int, *, undo: bool = False) -> None:
        with transaction.atomic(using=DATABASE):
            for row in rows[:number]:
                row.version += 1
                row.save()
            transaction.set_rollback(undo, using=DATABASE)
    watched = WatchedStore(inner)
    with stores.override(watched):
        acts: dict[str, Callable[[], None]] = {
            "one row": lambda: save(1), "40 rows": lambda: save(40), "40 rows, rolled back": lambda: save(40, undo=True),
            "autocommit": rows[0].save,
        }
        for name, act in acts.items():
            watched.moves.clear()
            act()
            print(f"{name:<40} {sum(watched.moves.values())}  {dict(watched.moves)}")


if __name__ == "__main__":
    sys.exit(main())
