"""The visits with Sentry's Django integration, begun before or after our hooks are in place: ``before`` or ``after`` as argument."""

from __future__ import annotations

import json
import sys
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

from tests.compat import forms, visits

sent: list[dict[str, Any]] = []


class Kept(Transport):
    """Keeps what would be sent."""

    def capture_envelope(self, envelope: Any) -> None:
        sent.extend(json.loads(json.dumps(item.payload.json, default=str)) for item in envelope.items if item.payload.json)


def init() -> None:
    sentry_sdk.init(
        dsn="http://public@127.0.0.1:1/1", transport=Kept, traces_sample_rate=1.0, auto_enabling_integrations=False,
        integrations=[DjangoIntegration(cache_spans=True, db_transaction_spans=True)],
    )


def report() -> dict[str, Any]:
    found = visits.report()
    sentry_sdk.flush()
    spans: dict[str, list[str]] = {}
    for event in sent:
        spans.setdefault(event.get("transaction", ""), []).extend(
            str(span.get("description")) for span in event.get("spans", ()) if str(span.get("op")).startswith("db")
        )
    errors = [value["type"] for event in sent if event.get("exception") for value in event["exception"]["values"]]
    return {**found, "spans": spans, "errors": errors}


if __name__ == "__main__":
    if sys.argv[1] == "before":
        init()
        forms.set_up()
    else:
        forms.set_up()
        init()
    json.dump(report(), sys.stdout)
