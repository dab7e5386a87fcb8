"""
Requests to views that write, through the handler that servers use: what was marked, what came back, in which order.

``python -m tests.compat.visits`` prints `report` of a project without neighbours; `with_toolbar` and `with_sentry` ask for the same.
"""

from __future__ import annotations

import json
import logging
import sys
from http import HTTPStatus
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.handlers.wsgi import WSGIHandler

from tests.compat import forms

PATHS = ("/show/", "/show/", "/move/", "/show/", "/collide-and-go-on/", "/collide/", "/show/", "/forms/", "/show/")
_MARKERS = ("<p>", "</p>")


def visit(path: str) -> dict[str, Any]:
    """Return what came back for ``path`` and what was logged meanwhile."""
    forms.log.clear()
    status, body = request(path)
    said = body.partition(_MARKERS[0])[2].partition(_MARKERS[1])[0] if status == HTTPStatus.OK else ""
    return {"path": path, "status": status, "said": said, "log": list(forms.log)}


def request(path: str, query: str = "") -> tuple[int, str]:
    """Send one request to the application, as a WSGI server does; returns status and body."""
    environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    response = WSGIHandler()(environ, lambda status, headers, exc_info=None: statuses.append(status))  # type: ignore[arg-type]
    try:
        body = b"".join(response)
    finally:
        if hasattr(response, "close"):
            response.close()                                          # the end of the request: connections are closed
    return int(statuses[0].split()[0]), body.decode()


def report() -> dict[str, Any]:

    logging.getLogger("django.request").setLevel(logging.CRITICAL)    # views fail on purpose
    return {"visits": [visit(path) for path in PATHS], "wrong": forms.wrong, "missed": forms.missed}


if __name__ == "__main__":
    forms.set_up()
    json.dump(report(), sys.stdout)
