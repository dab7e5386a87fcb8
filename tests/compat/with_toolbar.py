"""The visits under django-debug-toolbar, and what its SQL panel says about each."""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.compat import forms, visits


def report() -> dict[str, Any]:
    from debug_toolbar.toolbar import DebugToolbar

    toolbars: list[Any] = []

    def made(*, toolbar: Any, **kwargs: object) -> None:
        if toolbar.request.path in visits.PATHS:
            toolbars.append(toolbar)

    DebugToolbar._created.connect(made)
    found = visits.report()
    for visited, toolbar in zip(found["visits"], toolbars, strict=True):
        visited["panel"] = _queries(toolbar)
        if visited["path"] == "/move/":
            visited["rendered"] = _rendered(toolbar)
    return found


def _queries(toolbar: Any) -> list[str]:
    return [query["sql"].replace("&quot;", '"') for query in toolbar.get_panel_by_id("SQLPanel").get_stats().get("queries", [])]


def _rendered(toolbar: Any) -> int:
    """Ask for the panel as the browser does; returns the status."""
    return visits.request("/__debug__/render_panel/", f"request_id={toolbar.request_id}&panel_id=SQLPanel")[0]


if __name__ == "__main__":
    forms.set_up()
    json.dump(report(), sys.stdout)
