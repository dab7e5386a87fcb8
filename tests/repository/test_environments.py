"""`tools/venv.py` chooses an interpreter that can run the target, and says one line to type where there is none."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import venv

ROOT = Path(__file__).resolve().parent.parent.parent
OLD = venv.Interpreter("/usr/bin/python3", (3, 9, 2), ())
BARE = venv.Interpreter("/usr/bin/python3", (3, 11, 2), ("ensurepip",))
MIDDLE = venv.Interpreter("/opt/python3.12", (3, 12, 1), ())
NEW = venv.Interpreter("/usr/bin/python3", (3, 13, 0), ())


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> "Machine":
    return Machine(monkeypatch)


class Machine:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def has(self, *interpreters: venv.Interpreter, redis: bool = False) -> None:
        self.monkeypatch.setattr(venv, "candidates", lambda: iter(interpreters))
        self.monkeypatch.setattr(venv, "redis_server_on_path", lambda: redis)


def test_the_first_interpreter_is_taken_where_redis_is_on_the_path(machine: Machine) -> None:
    machine.has(NEW, MIDDLE, redis=True)
    assert venv.choose(needs_redis=True) == NEW


def test_without_redis_on_the_path_an_interpreter_with_a_wheel_of_it_is_taken(machine: Machine) -> None:
    machine.has(NEW, MIDDLE)
    assert venv.choose(needs_redis=True) == MIDDLE


def test_targets_without_servers_share_the_environment_of_those_with_servers(machine: Machine) -> None:
    machine.has(NEW, MIDDLE)
    assert venv.choose(needs_redis=False) == MIDDLE
    machine.has(NEW)
    assert venv.choose(needs_redis=False) == NEW


def test_a_machine_without_any_redis_is_told_the_package(machine: Machine) -> None:
    machine.has(NEW)
    with pytest.raises(venv.Unavailable, match="install redis-server"):
        venv.choose(needs_redis=True)


def test_a_python_without_venv_is_told_its_package(machine: Machine) -> None:
    machine.has(BARE)
    with pytest.raises(venv.Unavailable, match=r"without ensurepip\. .*install python3\.11-venv"):
        venv.choose(needs_redis=False)


def test_an_old_python_is_named_with_what_to_install(machine: Machine) -> None:
    machine.has(OLD)
    with pytest.raises(venv.Unavailable, match=r"3\.11 or newer is needed; found: 3\.9 .*install python3 python3-venv"):
        venv.choose(needs_redis=False)


def test_a_minor_version_that_is_asked_for_is_taken_or_missing(machine: Machine) -> None:
    machine.has(NEW, MIDDLE, redis=True)
    assert venv.choose(minor="3.12", needs_redis=True) == MIDDLE
    with pytest.raises(venv.Unavailable):
        venv.choose(minor="3.11", needs_redis=True)


def test_a_command_that_does_not_run_is_no_interpreter(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert venv.probe(str(shim)) is None
    assert venv.probe(str(tmp_path / "absent")) is None
    found = venv.probe(sys.executable)
    assert found is not None
    assert found.version == tuple(sys.version_info[:3])


def test_make_says_what_to_type_when_there_is_no_python() -> None:
    done = subprocess.run(["make", "test", "PYTHON=no-such-python"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode != 0
    assert "No no-such-python on PATH. Type: apt-get install python3 python3-venv" in done.stderr


def test_make_help_tells_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    told = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert {target for target in targets if f"make {target} " not in told} == set()
