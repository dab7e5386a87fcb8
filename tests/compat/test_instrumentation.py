"""Beside django-debug-toolbar and Sentry, which put themselves round cursors and commits: marks, reads and errors stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.compat.child import Child

Plain = Callable[..., list[dict[str, Any]]]
ATOMIC = [pytest.param(False, id="autocommit"), pytest.param(True, id="atomic-requests")]


@pytest.fixture(scope="module")
def plain(new_child: Callable[[str], Child]) -> Plain:
    """The visits of a project without neighbours, by kind of database and ATOMIC_REQUESTS; worked out when first asked for."""
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {}

    def get(kind: str, *, atomic: bool) -> list[dict[str, Any]]:
        if (kind, atomic) not in found:
            told = new_child(kind).run("visits", database={"ATOMIC_REQUESTS": atomic})
            assert told["wrong"] == told["missed"] == []
            found[kind, atomic] = told["visits"]
        return found[kind, atomic]
    return get


def the_same(found: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert [{name: visit[name] for name in ("path", "status", "said", "log")} for visit in found["visits"]] == expected
    assert found["wrong"] == found["missed"] == []


def of(visits: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    return [visit for visit in visits if visit["path"] == f"/{path}/"]


@pytest.mark.parametrize("atomic", ATOMIC)
def test_without_neighbours_requests_mark_where_they_commit(kind: str, atomic: bool, plain: Plain) -> None:
    visits = plain(kind, atomic=atomic)
    assert [visit["status"] for visit in visits] == [500 if visit["path"] == "/collide/" else 200 for visit in visits]
    [moved] = of(visits, "move")
    assert moved["said"] == "2 7"
    order = [entry if isinstance(entry, str) else "mark" for entry in moved["log"]]
    by_statement = ["mark", "resolved", "mark", "resolved", "on_commit", "the view ends"]
    assert order == (["the view ends", "mark", "resolved", "on_commit"] if atomic else by_statement)
    [collided] = of(visits, "collide")
    assert len(collided["log"]) == (0 if atomic else 2)               # the request's transaction was rolled back
    shown = [visit["said"] for visit in of(visits, "show")]
    assert shown[0] == shown[1] == "c1:1 c2:2 c3:3 c4:4 c5:5 c6:6"
    assert shown[2] == "c2:7 c3:3 c4:4 c5:5 c6:6"                     # c1 has moved
    assert shown[3] == shown[2].replace("c2:7", "c2:7" if atomic else "c2:8")


@pytest.mark.parametrize("atomic", ATOMIC)
def test_debug_toolbar_shows_the_sql_and_changes_nothing(kind: str, atomic: bool, plain: Plain, child: Child) -> None:
    found = child.run(
        "with_toolbar", database={"ATOMIC_REQUESTS": atomic}, DEBUG=True, MORE_APPS=["debug_toolbar"],
        MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
        DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": "tests.compat.depot.views.always", "ENABLE_STACKTRACES": False},
    )
    the_same(found, plain(kind, atomic=atomic))
    first, second, *_ = [visit["panel"] for visit in of(found["visits"], "show")]
    assert any("SELECT" in sql for sql in first)
    if not atomic:                                                    # in a block, SQLite is asked every time
        assert second == []
    [moved] = of(found["visits"], "move")
    assert sum("UPDATE" in sql for sql in moved["panel"]) >= 2
    assert any(sql.startswith("BEGIN;UPDATE") for sql in moved["panel"]) is (kind == "postgres" and not atomic)
    assert len(of(found["visits"], "forms")[0]["panel"]) > 30
    assert moved["rendered"] == 200


@pytest.mark.parametrize(("when", "atomic"), [
    pytest.param("before", False, id="before-us-autocommit"), pytest.param("after", True, id="after-us-atomic-requests"),
])
def test_sentry_sees_spans_and_errors_and_changes_nothing(kind: str, atomic: bool, when: str, plain: Plain, child: Child) -> None:
    found = child.run("with_sentry", when, database={"ATOMIC_REQUESTS": atomic})
    the_same(found, plain(kind, atomic=atomic))
    assert sum("UPDATE" in span for span in found["spans"]["/move/"]) >= 2
    assert len(found["spans"]["/forms/"]) > 30
    assert "IntegrityError" in found["errors"]
