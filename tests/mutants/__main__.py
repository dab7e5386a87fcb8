"""
``python -m tests.mutants [name …]``: switch each rule off, and see that the tests that play its hole notice.

First the named tests run with all rules on, and must pass. Exit code 0: every mutant was noticed by every test named for it; 1: one was
not, or the tests fail without a mutant; 2: no such mutant.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from cache_consistency.testing.servers import PostgresServer, find_postgres
from tests.mutants.table import MUTANTS, Mutant

URL = "CACHE_CONSISTENCY_TEST_DATABASE_URL"
ROOT = Path(__file__).resolve().parent.parent.parent
AT_ONCE = min(4, os.cpu_count() or 1)


def run(tests: Iterable[str], *, mutant: str = "") -> tuple[set[str], set[str]]:
    """Run tests in a process of their own, on databases of their own; return which failed in some case, and which ran at all."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        environment = {**os.environ, "CACHE_CONSISTENCY_MUTANT": mutant}
        if url := environment.get(URL):
            parts = urlsplit(url)
            environment[URL] = parts._replace(path=f"/mutant_{mutant}"[:50]).geturl()
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-migrations", f"--junitxml={report}", *tests]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
        if not report.exists():
            raise SystemExit(f"pytest did not run:\n{done.stdout}\n{done.stderr}")
        return _read(report)


def _read(report: Path) -> tuple[set[str], set[str]]:
    failed, ran = set(), set()
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.attrib["classname"].replace(".", "/")
        name = f"{module}.py::{case.attrib['name'].partition('[')[0]}"
        if case.find("skipped") is None:
            ran.add(name)
        if case.find("failure") is not None or case.find("error") is not None:
            failed.add(name)
    return failed, ran


@contextmanager
def one_postgres() -> Iterator[None]:
    """Start one server for all runs, if there is one to start and none is named."""
    if URL in os.environ or find_postgres() is None:
        yield
        return
    with PostgresServer("max_connections=60", fsync=False) as server:
        os.environ[URL] = server.url
        yield
        del os.environ[URL]


def noticed(mutant: Mutant) -> bool:
    began = time.monotonic()
    failed, _ = run(mutant.tests, mutant=mutant.name)
    missed = sorted(set(mutant.tests) - failed)
    verdict, took = "NOT NOTICED" if missed else "noticed", time.monotonic() - began
    print(f"{verdict:<12} {mutant.rule:<9} {mutant.name}  ({took:.0f} s)", flush=True)
    for test in missed:
        print(f"             by {test}", flush=True)
    return not missed


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MUTANTS]
    if unknown:
        print(f"no such mutant: {', '.join(unknown)}; there are: {', '.join(MUTANTS)}", file=sys.stderr)
        return 2
    chosen = [MUTANTS[name] for name in names] or list(MUTANTS.values())
    tests = dict.fromkeys(test for mutant in chosen for test in mutant.tests)
    with one_postgres():
        failed, ran = run(tests)
        if failed or set(tests) - ran:
            print(f"with all rules on, failed: {sorted(failed)}; did not run: {sorted(set(tests) - ran)}")
            return 1
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(noticed, chosen))
    print(f"{sum(results)} of {len(results)} mutants were noticed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Switch each rule off; the tests must notice.")
    parser.add_argument("names", nargs="*", help="mutants to try; default: all")
    sys.exit(main(parser.parse_args().names))
