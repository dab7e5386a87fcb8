"""The forms on django-prometheus' database backends, and requests through its middleware."""

from __future__ import annotations

import json
import sys


def report() -> dict[str, object]:
    from django.db import connection, connections
    from django_prometheus.db import execute_total

    from tests.compat import forms, visits

    found = forms.report()
    return {
        **found,
        "wrapper": type(connections["default"]).__module__,
        "executed": execute_total.labels("default", connection.vendor)._value.get(),
        "statuses": [visits.request(path)[0] for path in ("/show/", "/collide-and-go-on/")],
    }


if __name__ == "__main__":
    from tests.compat import forms

    forms.set_up()
    json.dump(report(), sys.stdout)
