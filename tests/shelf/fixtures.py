"""Fixtures for tests that need the whole of it acting: hooks, service, a real Redis, two kinds of database."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.test.utils import override_settings

from cache_consistency import stores, switches
from cache_consistency.capture import hooks, sink
from cache_consistency.invalidation import retry
from cache_consistency.reading import recovering
from tests.shelf.stage import Stage
from tests.shelf.watched import WatchedStore

DEFAULTS = {"QUARANTINE": 0, "MARK_TTL": 10, "TIMEOUT": 2}


@pytest.fixture
def make_stage(database: str, consistent: str) -> Iterator[Callable[..., Stage]]:
    """Put everything in force with the given settings; each test has a namespace of its own."""
    hooked, told = hooks.installed(), sink.installed()
    with ExitStack() as stack:

        def make(**given: Any) -> Stage:
            stack.close()                                           # a second stage takes the place of the first
            stack.callback(_end, bool(hooked), told)
            settings = {"CACHE": consistent, "NAMESPACE": f"t{secrets.token_hex(4)}", **DEFAULTS, **given}
            # not the fixture of that name, which ends later: settings that name a store install the hooks whenever they change
            stack.enter_context(override_settings(CACHE_CONSISTENCY=settings))
            stack.enter_context(switches.active_in_tests())
            inner = stores.current()
            assert inner is not None, stores.problems()
            watched = WatchedStore(inner)
            stack.enter_context(stores.override(watched))
            assert hooks.installed(), "declared models and a store install the hooks"
            stack.callback(lambda: _all_happened(watched))
            return Stage(database, watched)
        yield make


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


def _all_happened(watched: WatchedStore) -> None:
    assert watched.waiting() == [], "what the test hung up never happened"


def _end(hooked: bool, told: Any) -> None:
    retry.queue.forget()
    recovering.forget()
    sink.install(told)
    if not hooked:
        hooks.uninstall()
