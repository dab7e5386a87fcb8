"""A project that declares nothing, or has switched the app off, does not notice it; and no project notices its start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.compat.child import Child

NAMES_OF_META = "django.db.models.options.DEFAULT_NAMES"
OURS = "cache_consistency."

OFF = [
    pytest.param({"DEPOT_DECLARED": False}, {}, id="nothing-declared"),
    pytest.param({"CACHE_CONSISTENCY": {"CACHE": "default", "ENABLED": False}}, {}, id="switched-off-in-settings"),
    pytest.param({}, {"CACHE_CONSISTENCY_ENABLED": "0"}, id="switched-off-in-the-environment"),
    pytest.param({"CACHE_CONSISTENCY": {}}, {}, id="no-cache-named"),
]


@pytest.fixture(scope="module")
def bare(new_child: Callable[[str], Child]) -> dict[str, Any]:
    """What a start without the app replaces and opens."""
    found: dict[str, Any] = new_child("sqlite").run("replaced", OURS=False, DEPOT_DECLARED=False)
    return found


@pytest.fixture(scope="module")
def bare_wire(new_child: Callable[[str], Child]) -> Callable[[str], dict[str, Any]]:
    """What the project sends without the app, by kind of database."""
    found: dict[str, dict[str, Any]] = {}

    def get(kind: str) -> dict[str, Any]:
        if kind not in found:
            found[kind] = new_child(kind).run("wire", OURS=False, DEPOT_DECLARED=False)
            assert found[kind].pop("ours") == []
        return found[kind]
    return get


def changed_by_us(found: dict[str, Any], bare: dict[str, Any]) -> list[str]:
    return sorted({*found["changed"], *found["added"]} - {*bare["changed"], *bare["added"]})


def opens_nothing(found: dict[str, Any]) -> None:
    assert found["opened"] == []
    assert found["controls"] == ["socket.connect", "sqlite3.connect", "thread"]


@pytest.mark.parametrize(("settings", "environment"), OFF)
def test_a_start_replaces_nothing_but_the_names_of_options_and_opens_nothing(
    settings: dict[str, Any], environment: dict[str, str], bare: dict[str, Any], new_child: Callable[[str], Child],
) -> None:
    found = new_child("sqlite").run("replaced", environment=environment, **settings)
    assert changed_by_us(found, bare) == [NAMES_OF_META]
    assert found["looked at"] > 5000
    assert found["receivers"] == ["class_prepared", "setting_changed"]
    opens_nothing(found)


def test_with_declarations_a_start_replaces_what_is_planned_and_opens_nothing(
    bare: dict[str, Any], new_child: Callable[[str], Child],
) -> None:
    """The look at Django sees every replacement, so it would have seen one above."""
    found = new_child("sqlite").run("replaced")
    assert {*changed_by_us(found, bare)} == {NAMES_OF_META, *found["planned"]}
    assert found["receivers"] == ["class_prepared", "request_finished", "setting_changed"]
    opens_nothing(found)


@pytest.mark.parametrize(("settings", "environment"), [OFF[0], OFF[2]])
def test_the_same_bytes_go_to_the_database(
    kind: str, settings: dict[str, Any], environment: dict[str, str], bare_wire: Callable[[str], dict[str, Any]], child: Child,
) -> None:
    found = child.run("wire", environment=environment, **settings)
    assert any(module.startswith(OURS) for module in found.pop("ours"))
    expected = bare_wire(kind)
    for name, statements in expected.items():
        assert len(statements) > 50
        assert found[name] == statements, name


def test_a_declaration_changes_the_sql_of_writes(kind: str, bare_wire: Callable[[str], dict[str, Any]], child: Child) -> None:
    """The comparison would notice."""
    assert child.run("wire")["driver"] != bare_wire(kind)["driver"]
