"""The lists of the reference are those of the code."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cache_consistency
from cache_consistency import conf, exceptions
from cache_consistency.capture import hooks, reads
from cache_consistency.conf import _FROM_ENVIRONMENT, _PARSERS, AppSettings
from cache_consistency.declare.checks import CHECKS
from cache_consistency.declare.policy import KEYS
from cache_consistency.invalidation import retry, targets
from cache_consistency.invalidation.registry import ACTIONS
from cache_consistency.invalidation.signals import REASONS
from cache_consistency.protocol import entries
from cache_consistency.reading.explain import Explanation
from cache_consistency.reading.querysets import CachedQuerySet
from cache_consistency.stores import base, memory
from tests.docs.pages import DOCS, ROOT, names, plain, rows, text

PACKAGE = ROOT / "cache_consistency"


def settings_rows() -> list[tuple[str, ...]]:
    return [row for row in rows(text("reference/settings.md")) if len(row) == 4]


def test_every_setting_is_listed_once() -> None:
    assert [plain(row[0]) for row in settings_rows()] == list(_PARSERS)


def test_the_defaults_are_those_of_the_dataclass() -> None:
    for name, default, *_ in settings_rows():
        assert ast.literal_eval(plain(default)) == getattr(AppSettings(), plain(name)), name


def test_those_that_the_environment_sets_are_marked() -> None:
    assert {plain(row[0]) for row in settings_rows() if row[2] == "env"} == set(_FROM_ENVIRONMENT)


def test_no_other_page_names_a_setting_that_does_not_exist() -> None:
    planned = {"ON_UNREACHABLE"}  # named in the guarantees as what is to come
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        named = set(re.findall(r"CACHE_CONSISTENCY_([A-Z_]+)|CACHE_CONSISTENCY\[['\"]([A-Z_]+)", page.read_text(encoding="utf-8")))
        assert {one or other for one, other in named} <= {*_PARSERS, *planned}, page.name


def test_the_limits_are_those_of_the_code() -> None:
    limits = {plain(row[2]): row[1] for row in rows(text("reference/settings.md"), "Limits that are not settings")}
    stores = [row[1] for row in rows(text("reference/settings.md"), "Limits that are not settings") if "stores/base.py" in row[2]]
    assert limits["cache_consistency/capture/reads.py, cache_consistency/invalidation/targets.py"] == "500"
    assert reads.MAX_PRECISE == targets.MAX_ROWS == 500
    assert limits["cache_consistency/protocol/entries.py"] == f"{entries.MAX_TAGS:_}".replace("_", " ")
    assert limits["cache_consistency/invalidation/retry.py"] == f"{retry.CAPACITY:_}".replace("_", " ")
    assert limits["cache_consistency/stores/memory.py"] == f"{memory.MAX_BYTES >> 20} MiB"
    assert stores[0] == f"{base.MAX_VALUE >> 20} MiB"
    assert stores[1].startswith(f"{base.MAX_TOKENS};")
    assert stores[2].startswith(f"{base.CLEAN_TTL / 3600:.0f} h")


def test_every_check_is_listed_once() -> None:
    found = [row[0] for row in rows(text("reference/checks.md"))]
    assert found == list(dict.fromkeys(found))
    assert set(found) == set(CHECKS)


def test_checks_that_need_deploy_are_marked() -> None:
    page = text("reference/checks.md")
    marked = {row[0] for row in rows(page) if "(*deploy*)" in row[1]} | {row[0] for row in rows(page, "The store's server (*deploy*)")}
    assert marked == {number for number, meaning in CHECKS.items() if "--deploy" in meaning}


def test_every_key_and_mode_of_a_policy_is_told() -> None:
    page = text("reference/policies.md")
    assert {plain(row[0]) for row in rows(page)} == set(KEYS)
    assert all(f'"{mode}"' in page for mode in conf.MODES)


def test_every_public_name_is_listed_once() -> None:
    listed = [plain(row[0]) for row in rows(text("reference/api.md")) if "." not in row[0] and len(row) == 2]
    public = [name for name in listed if name not in vars(exceptions)]
    assert sorted(public) == sorted(cache_consistency.__all__)


def test_the_errors_that_are_named_exist() -> None:
    for row in rows(text("reference/api.md"), "Errors"):
        for name in names(row[0]):
            assert issubclass(getattr(exceptions, name), exceptions.CacheConsistencyError)


def test_what_an_explanation_tells_and_what_rules_and_receivers_are_told_is_there() -> None:
    page = text("reference/api.md")
    assert all(field.name in page for field in dataclasses.fields(Explanation))
    assert all(f'"{value}"' in page for value in (*ACTIONS, *REASONS))


def test_every_method_that_a_cached_queryset_has_of_its_own_is_told() -> None:
    page = text("reference/querysets.md")
    own = {name for name in vars(CachedQuerySet) if not name.startswith("_") and callable(getattr(CachedQuerySet, name))}
    assert {name for name in own if name not in page} == set()


def test_everything_that_is_replaced_in_django_is_told() -> None:
    page = text("reference/compatibility.md")
    replaced = {(owner.__name__, name) for owner, name, _ in hooks._plan()}
    assert replaced  # else nothing is compared
    assert [(owner, name) for owner, name in sorted(replaced) if f"`{owner}`" not in page or f"`{name}`" not in page] == []


# events


@dataclasses.dataclass(frozen=True)
class Told:
    """One call that counts, emits or warns."""

    how: str
    what: str
    outcome: str | None
    """None: it is worked out while the program runs."""
    where: str


def told() -> Iterator[Told]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            how = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            if isinstance(node, ast.Call) and how in {"count", "warn_once", "Event"} and _is_events(node.func):
                outcome = node.args[2] if len(node.args) > 2 and how != "warn_once" else None
                yield Told(how, _first(node.args[0]), _constant(outcome), f"{path.relative_to(ROOT)}:{node.lineno}")


def _is_events(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "events"


def _first(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    assert isinstance(node, ast.Constant), ast.dump(node)
    return str(node.value).rstrip(":")


def _constant(node: ast.expr | None) -> str | None:
    if node is None:
        return ""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Miss":
        return entries.Miss[node.attr].value
    return str(node.value) if isinstance(node, ast.Constant) else None


def listed(heading: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows(text("reference/events.md"), heading):
        found.setdefault(plain(row[0]), set()).update(names(row[2]) or [row[2]])
    return found


COUNTED = [one for one in told() if one.how == "count"]
EMITTED = [one for one in told() if one.how == "Event"]


@pytest.mark.parametrize(("heading", "calls"), [("Counters", COUNTED), ("Events", EMITTED)])
def test_every_counter_and_event_is_listed_and_nothing_else(heading: str, calls: list[Told]) -> None:
    assert calls
    page = listed(heading)
    assert {one.what for one in calls} == set(page)
    unlisted = [one for one in calls if one.outcome is not None and one.outcome not in page[one.what]]
    assert unlisted == []


def test_every_cause_of_a_miss_and_every_reason_of_an_invalidation_is_listed() -> None:
    counters = listed("Counters")
    assert counters["miss"] == {cause.value for cause in entries.Miss}
    assert counters["invalidation"] == set(REASONS)


def test_every_warning_is_listed() -> None:
    page = {plain(row[0]).partition(":")[0] for row in rows(text("reference/events.md"), "Warnings in the log")}
    assert {one.what.partition(":")[0] for one in told() if one.how == "warn_once"} == page


def test_the_scan_would_see_a_new_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "room.py").write_text('events.count("novelty", alias, "seen")\nevents.emit(events.Event("surprise", "", kind))\n')
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    assert [(one.how, one.what, one.outcome) for one in told()] == [("count", "novelty", "seen"), ("Event", "surprise", None)]
