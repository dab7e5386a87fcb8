"""What the server says about itself, taken out of INFO."""

from __future__ import annotations

import re

from cache_consistency.stores.base import StoreInfo


def read_info(raw: bytes) -> StoreInfo:
    """Read the reply to INFO; a field that a fork of Redis does not have is 0 or empty."""
    fields = dict(line.split(":", 1) for line in raw.decode("utf-8", "replace").splitlines() if ":" in line)
    version = fields.get("redis_version", "0")                      # Valkey gives the version it is compatible with
    return StoreInfo(
        kind="redis",
        version=tuple(int(part) for part in re.findall(r"\d+", version)),
        maxmemory_policy=fields.get("maxmemory_policy", ""),
        maxmemory=int(fields.get("maxmemory", 0)),
        used_memory=int(fields.get("used_memory", 0)),
        evicted_keys=int(fields.get("evicted_keys", 0)),
        is_master=fields.get("role", "master") == "master",
    )
