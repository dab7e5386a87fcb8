import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core import checks
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings
from redis.connection import AbstractConnection

from cache_consistency.declare.checks import CHECKS, TAG, register_checks
from cache_consistency.declare.checks.catalogue import finding

ROOM = Path(__file__).resolve().parents[2] / "cache_consistency" / "declare" / "checks"


def test_every_id_in_the_catalogue_is_reported_somewhere_and_no_other() -> None:
    source = "".join(path.read_text() for path in ROOM.glob("*.py") if path.name != "catalogue.py")
    assert set(re.findall(r'"([EW]0\d\d)"', source)) == set(CHECKS)
    with pytest.raises(KeyError):
        finding("E999", "message", hint="hint")


def test_numbers_are_never_used_twice_so_that_silencing_one_silences_one() -> None:
    numbers = [number[1:] for number in CHECKS]
    assert len(set(numbers)) == len(numbers)


def test_the_checks_run_by_their_tag_and_open_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(BaseDatabaseWrapper, "connect", opened.append)
    monkeypatch.setattr(AbstractConnection, "connect", opened.append)
    register_checks()
    register_checks()
    assert TAG in checks.registry.registry.tags_available()
    own = [check for check in checks.registry.registry.get_checks() if TAG in check.tags]
    assert len(own) == 5
    with override_settings(CACHE_CONSISTENCY={"CACHE": "consistent"}):
        assert [message for message in checks.run_checks(tags=[TAG]) if message.is_serious(checks.ERROR)] == []
    assert opened == []


def test_a_project_sees_findings_in_manage_check() -> None:
    code = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"], CACHE_CONSISTENCY={"CAHCE": "default"})
django.setup()
from cache_consistency.declare.checks import register_checks
register_checks()
from django.core.management import call_command
call_command("check")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOM.parents[2])
    assert done.returncode != 0
    assert "cache_consistency.E001" in done.stderr
    assert "Did you mean 'CACHE'?" in done.stderr
