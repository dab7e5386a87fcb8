"""
Requests through the test client to views that write: what was marked, what came back, in which order.

``python -m tests.compat.visits`` prints `report` of a project without neighbours; `with_toolbar` and `with_sentry` ask for the same.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.compat import forms

PATHS = ("/show/", "/show/", "/move/", "/show/", "/collide-and-go-on/", "/collide/", "/show/", "/forms/", "/show/")
_MARKERS = ("<p>", "</p>")


def visit(path: str) -> dict[str, Any]:
    """Return what came back for ``path`` and what was logged meanwhile."""
    from django.test import Client

    forms.log.clear()
    response = Client(raise_request_exception=False).get(path)
    body = response.content.decode()
    said = body.partition(_MARKERS[0])[2].partition(_MARKERS[1])[0] if response.status_code == 200 else ""
    return {"path": path, "status": response.status_code, "said": said, "log": list(forms.log)}


def report() -> dict[str, Any]:
    return {"visits": [visit(path) for path in PATHS], "wrong": forms.wrong, "missed": forms.missed}


if __name__ == "__main__":
    forms.set_up()
    json.dump(report(), sys.stdout)
