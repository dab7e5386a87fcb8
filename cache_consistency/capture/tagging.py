"""Tags of one table as one connection names them."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from cache_consistency.capture.identity import database_identity, unopened_file, vary
from cache_consistency.capture.state import state_of
from cache_consistency.conf import app_settings, on_change
from cache_consistency.protocol.tags import Keyspace, TableTags, Tag

UNNAMED: Tag = ":::"
"""Stands among tags for those that could not be named: whoever is told must give up everything. No key of the store has this name."""
_MOST = 4096
_generation = [0]


def table_tags(connection: BaseDatabaseWrapper, db_table: str) -> TableTags:
    """
    Return the tags of ``db_table``; under half a microsecond after the first call on a physical connection.

    :raises Unnamed: the project's own function failed; a write has `UNNAMED` instead, a read asks the database.
    """
    cache = state_of(connection).tag_cache
    varied = vary(connection)
    # test runners change NAME under an open wrapper, and one that is not open may find another file under it
    key = (db_table, varied, connection.settings_dict["NAME"], _generation[0], unopened_file(connection))
    found = cache.get(key)
    if found is None:
        found = Keyspace(app_settings().NAMESPACE).table(database_identity(connection), db_table, vary=varied)
        if len(cache) >= _MOST:                                       # a VARY of many tenants
            cache.clear()
        cache[key] = found
    return found


@on_change
def _settings_changed() -> None:
    _generation[0] += 1
