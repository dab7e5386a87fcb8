"""Other database backends, and options of Django's own: they must mark what a plain connection marks, and reads must be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cache_consistency.protocol.tags import value_text
from tests.compat.child import Child


@pytest.fixture(scope="module")
def plain(new_child: Callable[[str], Child]) -> Callable[[str], dict[str, Any]]:
    """What plain Django does with each form, by the kind of database; worked out when first asked for."""
    found: dict[str, dict[str, Any]] = {}

    def get(kind: str) -> dict[str, Any]:
        if kind not in found:
            found[kind] = new_child(kind).run("forms")
        return found[kind]
    return get


def agrees(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["forms"] == expected["forms"]
    assert found["wrong"] == []
    assert found["missed"] == expected["missed"]


def test_plain_django_marks_every_form_and_serves_what_is_true(plain: Callable[[str], dict[str, Any]], kind: str) -> None:
    found = plain(kind)
    forms = found["forms"]
    assert found["wrong"] == []
    assert found["missed"] == []
    new, c2 = (f"col:code={value_text(code)}" for code in ("new", "c2"))
    assert forms["create"] == [
        sorted(f"depot_crate {tag}" for tag in ("any", new, "col:depot_id=1", "new", "row:7")), "resolved",
    ]
    crate = [f"depot_crate {tag}" for tag in ("any", c2, "col:depot_id=1", "row:2")]
    assert forms["in atomic"] == ["the block ends", sorted([*crate, "depot_depot any", "depot_depot row:2"]), "resolved", "on_commit"]
    assert forms["rolled back"] == ["rolled back"]
    assert forms["collision"] == ["IntegrityError"]
    assert forms["update of nothing"] == forms["what nobody declared"] == forms["raw SQL that writes elsewhere"] == []
    assert forms["raw SQL"] == [["depot_crate any", "depot_crate bulk"], "resolved"]


def test_django_prometheus_backends(plain: Callable[[str], dict[str, Any]], kind: str, child: Child) -> None:
    pytest.importorskip("django_prometheus", reason="django-prometheus 2.5 caps Django below 6.1")
    engine = {"sqlite": "sqlite3", "postgres": "postgresql"}[kind]
    found = child.run(
        "with_prometheus", database={"ENGINE": f"django_prometheus.db.backends.{engine}"}, MORE_APPS=["django_prometheus"],
        MIDDLEWARE=[
            "django_prometheus.middleware.PrometheusBeforeMiddleware", "django_prometheus.middleware.PrometheusAfterMiddleware",
        ],
    )
    agrees(found, plain(kind))
    assert found["wrapper"] == f"django_prometheus.db.backends.{engine}.base"
    assert found["executed"] > 100
    assert found["statuses"] == [200, 200]


@pytest.mark.parametrize("options", [
    pytest.param({"OPTIONS": {"pool": {"min_size": 1, "max_size": 2}}}, id="pool"),
    pytest.param({"OPTIONS": {"server_side_binding": True}}, id="server-side-binding"),
    pytest.param({"OPTIONS": {"server_side_binding": True, "pool": True}}, id="server-side-binding-and-pool"),
    pytest.param({"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": True}, id="kept-open-plain-cursors"),
])
def test_options_of_postgresql(options: dict[str, Any], plain: Callable[[str], dict[str, Any]], new_child: Callable[[str], Child]) -> None:
    if "pool" in options.get("OPTIONS", {}):
        pytest.importorskip("psycopg_pool")
    agrees(new_child("postgres").run("forms", database=options), plain("postgres"))


@pytest.mark.parametrize("options", [
    pytest.param({"OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}}, id="immediate-wal"),
    pytest.param({"NAME": ":memory:"}, id="in-memory"),
])
def test_options_of_sqlite(options: dict[str, Any], plain: Callable[[str], dict[str, Any]], new_child: Callable[[str], Child]) -> None:
    agrees(new_child("sqlite").run("forms", database=options), plain("sqlite"))
