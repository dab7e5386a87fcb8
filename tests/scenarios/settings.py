"""Settings of the processes of a campaign: one database, one Redis, both named by the environment, and marks that end soon."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

if "postgres" in DATABASES:
    DATABASES["default"] = DATABASES.pop("postgres")
DATABASES = {"default": DATABASES["default"]}
CACHE_CONSISTENCY = {
    "CACHE": "consistent",
    "NAMESPACE": "campaign",
    "MARK_TTL": float(os.environ.get("CAMPAIGN_MARK_TTL", "1")),      # short, so that there are hits between two faults
    "QUARANTINE": float(os.environ.get("CAMPAIGN_MARK_TTL", "1")),
}
