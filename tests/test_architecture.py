"""The floors of the package: imports go downwards, and each room keeps to what it is for. The source is walked, not imported."""

import ast
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "cache_consistency"
ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / PACKAGE

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"exceptions"}),
    frozenset({"durations"}),
    frozenset({"conf", "events"}),
    frozenset({"switches"}),
    frozenset({"protocol"}),
    frozenset({"stores", "codecs"}),
    frozenset({"declare", "dependencies"}),
    frozenset({"capture"}),
    frozenset({"invalidation", "reading", "freshness", "concurrency", "keys"}),
    frozenset({"monitoring", "audit", "cdn", "testing"}),
    frozenset({"jobs", "models", "migrations"}),
    frozenset({"admin", "management", "tasks", "templatetags", "middleware"}),
)
"""
Rooms from the ground up; a room imports from floors below and from itself, never from a neighbour.

It is the design with the few sanctioned neighbours told apart: stores speak of versions and tags (`protocol`), `capture` asks the
one list of tracked models (`declare`), the shims (`admin`, `management`, …) call `jobs`.
"""

ANYWHERE = frozenset({"__init__", "apps"})
"""They put the rooms together: `apps` when Django is ready, `__init__` name by name when it is asked."""

PURE = "protocol"
NOT_PURE = frozenset(
    [
        "asyncio",
        "datetime",
        "django",
        "os",
        "pathlib",
        "random",
        "redis",
        "secrets",
        "select",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "time",
        "uuid",
    ]
)
"""Top-level modules that bring a clock, randomness, I/O or a framework."""
VALUE_TYPES = {("protocol", "datetime"), ("protocol", "uuid")}
"""Types of values that are written into tags; a call that asks the clock or draws randomness is still refused."""
IMPURE_CALLS = frozenset({"now", "utcnow", "today", "uuid1", "uuid4", "urandom"})

REPLACES_DJANGO = "capture/hooks"
EXTENDS_DJANGO = {("declare/meta.py", "DEFAULT_NAMES")}
"""The names that Meta accepts are a tuple of Django's that has to be made longer; nothing is replaced by it."""


@dataclasses.dataclass(frozen=True)
class Import:
    path: str
    """The importing file, relative to the package."""
    line: int
    module: str

    @property
    def room(self) -> str:
        return Path(self.path).parts[0].removesuffix(".py")

    @property
    def target(self) -> str | None:
        """The room of ours that is imported, or None."""
        parts = self.module.split(".")
        if parts[0] != PACKAGE:
            return None
        return parts[1] if len(parts) > 1 else "__init__"

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(SOURCE.rglob("*.py")):
        yield file.relative_to(SOURCE).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def imports() -> Iterator[Import]:
    for path, tree in parsed():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (Import(path, node.lineno, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = absolute(path, node)
                # `from cache_consistency import conf` names the room only in what is imported.
                names = [f"{base}.{name.name}" for name in node.names] if base == PACKAGE else [base]
                yield from (Import(path, node.lineno, name) for name in names)


def absolute(path: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = [PACKAGE, *Path(path).parent.parts]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def known(room: str) -> bool:
    return room in ANYWHERE or any(room in rooms for rooms in FLOORS)


def allowed(found: Import) -> bool:
    if found.target is None or found.room in ANYWHERE or found.room == found.target:
        return True
    # The package itself holds only its version and names that are looked up lazily: from inside, a name is imported from its room.
    if found.target in ANYWHERE or not known(found.target):
        return found.module == f"{PACKAGE}.__version__"
    return known(found.room) and floor(found.target) < floor(found.room)


def test_every_room_has_its_floor() -> None:
    rooms = {Path(path).parts[0].removesuffix(".py") for path, _ in parsed()}
    assert {room for room in rooms if not known(room)} == set()


def test_imports_go_downwards_and_never_to_a_neighbour() -> None:
    assert [str(found) for found in imports() if not allowed(found)] == []


def test_exceptions_import_nothing() -> None:
    assert [str(found) for found in imports() if found.room == "exceptions" and found.module != "__future__"] == []


def test_the_protocol_knows_no_django_no_redis_no_clock_and_no_randomness() -> None:
    inside = [found for found in imports() if found.room == PURE]
    impure = [found for found in inside if found.module.split(".")[0] in NOT_PURE and (PURE, found.module) not in VALUE_TYPES]
    # conf and events are below the protocol, but they read Django's settings and keep state.
    framed = [found for found in inside if found.target is not None and found.target not in {PURE, "exceptions"}]
    assert [str(found) for found in impure + framed] == []


def test_the_protocol_never_asks_for_the_time_or_for_a_random_number() -> None:
    calls = [
        f"{path}:{node.lineno} calls {node.func.attr}"
        for path, tree in parsed()
        if path.startswith(PURE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in IMPURE_CALLS
    ]
    assert calls == []


def names_of_django(tree: ast.Module) -> set[str]:
    """Names that an import binds to something of Django."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "django" and not node.level:
            bound.update(name.asname or name.name for name in node.names)
        elif isinstance(node, ast.Import):
            bound.update(name.asname or "django" for name in node.names if name.name.split(".")[0] == "django")
    return bound


def assigned_attributes(tree: ast.Module) -> Iterator[tuple[ast.expr, str, int]]:
    """Each ``a.b = …``, ``a.b += …``, ``del a.b``, ``setattr(a, "b", …)`` as (a, "b", line)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
            yield node.value, node.attr, node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"setattr", "delattr"}:
            name = node.args[1]
            yield node.args[0], str(name.value) if isinstance(name, ast.Constant) else "?", node.lineno


def root(expression: ast.expr) -> str | None:
    while isinstance(expression, (ast.Attribute, ast.Subscript)):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else None


def test_only_the_hooks_replace_anything_of_django() -> None:
    replaced = [
        f"{path}:{line} sets {attribute}"
        for path, tree in parsed()
        if not path.startswith(REPLACES_DJANGO)
        for owner, attribute, line in assigned_attributes(tree)
        if root(owner) in names_of_django(tree) and (path, attribute) not in EXTENDS_DJANGO
    ]
    assert replaced == []


def test_drivers_errors_are_translated_inside_the_stores_only() -> None:
    outside = [found for found in imports() if found.module.split(".")[0] == "redis" and found.room not in {"stores", "testing"}]
    assert [str(found) for found in outside] == []


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_package_is_imported_before_django_is_configured_and_brings_no_model() -> None:
    code = f"""
import os, sys
os.environ.pop("DJANGO_SETTINGS_MODULE", None)
import {PACKAGE}
loaded = sys.modules
assert "{PACKAGE}.models" not in loaded
models = loaded.get("django.db.models")
assert models is None or not [m for m in models.Model.__subclasses__() if not m._meta.abstract]
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_exported_name_can_be_had(when: str) -> None:
    """``from cache_consistency import CachedManager`` stands in users' models, which load before apps are ready."""
    setup = "import django; django.setup()" if when == "after" else ""
    code = f"import {PACKAGE}\n{setup}\nfor name in getattr({PACKAGE}, '__all__', ()): getattr({PACKAGE}, name)"
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n{code}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "module", "expected"),
    [
        ("reading/querysets.py", "cache_consistency.invalidation.service", False),
        ("reading/querysets.py", "cache_consistency.capture.state", True),
        ("capture/writes.py", "cache_consistency.declare.tracked", True),
        ("declare/tracked.py", "cache_consistency.capture.state", False),
        ("stores/redis.py", "cache_consistency.protocol.versions", True),
        ("codecs/rows.py", "cache_consistency.stores", False),
        ("apps.py", "cache_consistency.reading", True),
        ("reading/api.py", "cache_consistency", False),
    ],
)
def test_the_rule_itself(path: str, module: str, *, expected: bool) -> None:
    assert allowed(Import(path, 1, module)) is expected
