"""A project put together from the blocks of the quick start, and run in a process of its own against a real Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, blocks, text

_AROUND = """
import os

SECRET_KEY = "only for this test"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}, "OPTIONS": {{"transaction_mode": "IMMEDIATE"}}}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
CACHES["consistent"]["LOCATION"] = os.environ["STORE_URL"]
"""
_SET_UP = """
import django

django.setup()
from django.core.management import call_command

call_command("migrate", verbosity=0, run_syncdb=True)
"""


def files() -> dict[str, str]:
    """Return the blocks of the quick start that begin with the name of a file."""
    named = {}
    for block in blocks(text("quickstart.md"), "python"):
        first, _, rest = block.partition("\n")
        if first.startswith("# "):
            named[first.removeprefix("# ")] = rest
    return named


class Project:
    """The quick start's project in a directory of its own."""

    def __init__(self, directory: Path, store_url: str) -> None:
        self.directory, self.store_url = directory, store_url
        for name, source in files().items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        (directory / "shop" / "__init__.py").touch()
        with (directory / "settings.py").open("a") as settings:
            settings.write(_AROUND.format(database=str(directory / "db.sqlite3")))

    def manage(self, *arguments: str, **environment: str) -> str:
        return self._run("-m", "django", *arguments, **environment)

    def run(self, source: str, **environment: str) -> str:
        """Run ``source`` in a new process with Django set up and tables made; returns what it printed."""
        return self._run("-c", _SET_UP + source, **environment)

    def _run(self, *arguments: str, **environment: str) -> str:
        path = os.pathsep.join([str(self.directory), str(ROOT)])
        names = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "settings", "STORE_URL": self.store_url}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env={**os.environ, **names, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
