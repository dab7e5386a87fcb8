"""Processes of their own: what neighbours do to Django they do to a whole process, and they do it for good."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 120
"""Seconds after which a process has failed."""


@dataclasses.dataclass(frozen=True)
class Child:
    """How to run a module of `tests.compat` against one empty database."""

    database: Mapping[str, Any]
    directory: Path

    def run(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None, **settings: Any) -> Any:
        """
        Run ``python -m tests.compat.<module>`` and return what it printed as JSON.

        :param settings: of the project; ``database`` holds what differs in the database's.
        """
        done = self.call("-m", f"tests.compat.{module}", *arguments, environment=environment, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def manage(self, *arguments: str, environment: Mapping[str, str] | None = None, **settings: Any) -> str:
        """Run a command of ``manage.py``; returns what it printed, errors included."""
        done = self.call("-m", "django", *arguments, environment=environment, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def call(
        self, *arguments: str, environment: Mapping[str, str] | None = None, database: Mapping[str, Any] | None = None, **settings: Any,
    ) -> subprocess.CompletedProcess[str]:
        given = {"DATABASES": {"default": {**self.database, **(database or {})}}, **settings}
        ours = {
            "DJANGO_SETTINGS_MODULE": "tests.compat.settings",
            "COMPAT_SETTINGS": json.dumps(given),
            "PYTHONPATH": os.pathsep.join([str(self.directory), str(ROOT)]),
            "PYTHONHASHSEED": "0",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CACHE_CONSISTENCY_")}
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", *arguments], cwd=self.directory, env={**inherited, **ours, **(environment or {})},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        try:
            said, errors = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)                       # where every thread stands goes to its stderr
            said, errors = process.communicate()
            errors += f"\nstill running after {LIMIT} s"
        return subprocess.CompletedProcess(arguments, process.returncode, said, errors)
