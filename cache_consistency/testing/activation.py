"""
Switching the app on for one test.

Under a test runner everything passes through, as if the app were not there. A test that is about caching asks for it: with the fixture
``cache_consistency`` of pytest, or with ``self.enterContext(active_cache())`` in a ``TestCase`` of Django.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

from django.conf import settings as django_settings
from django.test.utils import override_settings

from cache_consistency import conf, stores, switches
from cache_consistency.capture import hooks, sink, state
from cache_consistency.exceptions import StoreError
from cache_consistency.invalidation import retry
from cache_consistency.invalidation.service import Service
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.reading import recovering
from cache_consistency.stores import MemoryStore, Store


@contextlib.contextmanager
def active_cache(store: Store | None = None, **settings: Any) -> Iterator[Store]:
    """
    Have the app act inside the block: writes are captured, reads are cached, in a namespace that nobody else has.

    The transaction that ``TestCase`` (and the mark ``django_db``) puts round a test counts as none: what would be committed without it
    is invalidated, and what is read may be cached. What such a test leaves in a store of its own goes with it.

    :param store: default: a new one in memory. A store on a real server keeps the namespace it was made with.
    :param settings: settings of ``CACHE_CONSISTENCY`` that differ in this block: ``READS="shadow"``.
    :return: the store in force.
    """
    chosen: Store = store if store is not None else MemoryStore(Keyspace(f"test-{secrets.token_hex(6)}"))
    given = {"CACHE": "default", **getattr(django_settings, conf.NAME, {}), "NAMESPACE": chosen.keyspace.namespace, **settings}
    hooked, counted, told = hooks.installed(), state.testcase, sink.installed()
    with contextlib.ExitStack() as stack:
        stack.callback(_end, hooked=hooked, counted=counted, told=told)
        stack.enter_context(override_settings(**{conf.NAME: given}))
        stack.enter_context(switches.active_in_tests())
        stack.enter_context(stores.override(chosen))
        sink.install(Service())
        hooks.install(testcase=True)
        state.set_testcase(True)
        yield chosen
        with contextlib.suppress(StoreError):                       # a test may have taken its server away
            chosen.flush_replies()


def _end(*, hooked: list[str], counted: bool, told: sink.Sink | None) -> None:
    retry.queue.forget()
    recovering.forget()
    sink.install(told)
    if hooks.installed() != hooked:
        hooks.uninstall()
        if hooked:
            hooks.install()
    state.set_testcase(counted)
