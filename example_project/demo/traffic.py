"""
One process of the traffic: ``python -m example_project.demo.traffic reader|writer N DIRECTORY``; the conductor starts it.

It paces itself, counts on the board, and ends after the act at hand when it is told to (SIGTERM).
"""

import logging
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import django

from example_project.demo.board import Board, Count
from example_project.demo.options import Options, from_environment

logger = logging.getLogger("demo")
_LOGGED = 20
"""Failures and stale reads that a process describes in its log; beyond that it only counts."""


class Pace:
    """No more than ``rate`` acts a second, in small bursts: sleeping after each would cost more than many a hit."""

    def __init__(self, rate: int) -> None:
        self._per_act = 1 / rate
        self._due = time.monotonic()

    def wait(self) -> None:
        self._due += self._per_act
        ahead = self._due - time.monotonic()
        if ahead > 0.01:
            time.sleep(ahead)
        elif ahead < -0.5:
            self._due = time.monotonic()  # after a pause nobody catches up


class Worker:
    def __init__(self, board: Board, number: int) -> None:
        self.board = board
        self.number = number
        self.running = True
        self._described = 0
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the conductor, who then tells us

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.running = False

    def count(self, what: Count, n: int = 1) -> None:
        self.board.add(self.number, what, n)

    def describe(self, message: str, *args: object) -> None:
        self._described += 1
        if self._described <= _LOGGED:
            logger.warning(message, *args)

    def failed(self, act: str, error: Exception) -> None:
        """Count and describe ``error``; the traffic goes on, whatever one act met (a cache that is away under CACHE=naive)."""
        self.count(Count.ERRORS)
        self._described += 1
        if self._described <= _LOGGED:
            logger.warning("%s failed", act, exc_info=error)


def read(worker: Worker, options: Options, chance: random.Random) -> None:
    from example_project.demo import hits, shopper

    customer = shopper.Shopper(worker.board, chance)
    counter, pace = hits.counter(options.cache), Pace(options.reads_per_second)
    known = counter.counts()
    worker.count(Count.READY)
    while worker.running:
        act = customer.next()
        began = time.perf_counter()
        try:
            wrong = act()
        except Exception as error:  # noqa: BLE001  # counted and logged by `failed`
            worker.failed(act.__name__, error)
            time.sleep(0.01)
            continue
        took = time.perf_counter() - began
        worker.count(Count.READS)
        if wrong is not None:
            worker.count(Count.STALE)
            worker.describe("stale: %s: %s", act.__name__, wrong)
        now = counter.counts()
        if now != known:
            hits_made, asked = now[0] - known[0], now[1] - known[1]
            worker.count(Count.HITS, hits_made)
            worker.count(Count.ASKED, asked)
            if hits_made == asked:
                worker.board.add_duration(worker.number, took)
            known = now
        pace.wait()


def write(worker: Worker, options: Options, chance: random.Random) -> None:
    from example_project.demo.clerk import Clerk

    clerk = Clerk(worker.board, chance, own=worker.number - options.readers, of=options.writers)
    pace = Pace(options.writes_per_second)
    worker.count(Count.READY)
    while worker.running:
        act = clerk.next()
        try:
            act()
        except Exception as error:  # noqa: BLE001  # counted and logged by `failed`
            worker.failed(act.__name__, error)
            time.sleep(0.05)
        else:
            worker.count(Count.WRITES)
        pace.wait()


def main(kind: str, number: int, directory: Path) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options = from_environment(os.environ)
    django.setup()
    worker = Worker(Board.open(directory), number)
    {"reader": read, "writer": write}[kind](worker, options, random.Random(number))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
