"""
Django's own commands in a project whose models are declared; each step is a process: ``python -m tests.compat.commands <step>``.

What one process has cached, another process's command must make stale.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

from tests.compat import forms

DUMP = Path("dump.json")


def prepare() -> list[dict[str, Any]]:
    """Make migrations and tables, a superuser and rows; read everything once, so that it is cached."""
    call_command("makemigrations", "depot", verbosity=0)
    call_command("makemigrations", "--check", verbosity=0)            # exits with 1 if there were more to make
    call_command("migrate", verbosity=0)
    _superuser("ann")
    forms.fill()
    return [read(), read()]


def load() -> list[dict[str, Any]]:
    """Dump the rows, change the dump, load it; another superuser comes."""
    found = read()
    call_command("dumpdata", "depot", output=str(DUMP), verbosity=0)
    rows = json.loads(DUMP.read_text())
    for row in rows:
        if row["model"] == "depot.crate":
            row["fields"]["weight"] += 100
    DUMP.write_text(json.dumps(rows))
    call_command("loaddata", str(DUMP), verbosity=0)
    _superuser("bob")
    return [found]


def flush() -> list[dict[str, Any]]:
    found = read()
    call_command("flush", interactive=False, verbosity=0)
    return [found, read()]


def read() -> dict[str, Any]:
    """Read through the cache; ``hits`` says how often it answered."""
    from cache_consistency import events
    from tests.compat.depot.models import Crate, cached

    hits = events.total("hit")
    crates = cached(Crate).order_by("pk")
    return {
        "weights": [crate.weight for crate in crates],
        "first": crate.weight if (crate := cached(Crate).filter(pk=1).first()) else None,
        "users": [user.username for user in _users().order_by("pk")],
        "hits": events.total("hit") - hits,
    }


def _superuser(name: str) -> None:
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = "secret"
    call_command("createsuperuser", username=name, email=f"{name}@example.org", interactive=False, verbosity=0)


def _users() -> Any:
    """Return cached users: a model of Django's, declared in the settings."""
    from django.contrib.auth.models import User

    from cache_consistency import CachedManager

    if not hasattr(User, "cached"):
        User.add_to_class("cached", CachedManager())
    return User.cached.all()  # type: ignore[attr-defined]


STEPS = {step.__name__: step for step in (prepare, load, flush)}

if __name__ == "__main__":
    django.setup()
    json.dump(STEPS[sys.argv[1]](), sys.stdout)
