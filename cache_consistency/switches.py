"""
What is switched on right now, in one place: settings, the test runner, and blocks of code that opted out.

Under a test runner everything passes through, as if the app were not there, until a test asks for it (`active_in_tests`): a suite that
wraps each test in a transaction would otherwise meet caches of rows that never existed.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Iterator

from cache_consistency.conf import app_settings

_opted_out: contextvars.ContextVar[bool] = contextvars.ContextVar("cache_consistency_no_cache", default=False)
_asked_by_tests = 0


def under_test_runner() -> bool:
    """Return whether Django's test environment is set up (``manage.py test``, pytest-django)."""
    utils = sys.modules.get("django.test.utils")
    return utils is not None and hasattr(utils._TestState, "saved_data")


def active() -> bool:
    """Return whether writes are captured and reads may be cached at all in this process now."""
    settings = app_settings()
    return settings.ENABLED and settings.CACHE is not None and (_asked_by_tests > 0 or not under_test_runner())


def reads() -> str:
    """Return ``"on"``, ``"off"`` or ``"shadow"`` for a read that is about to be made by this task."""
    return "off" if _opted_out.get() or not active() else app_settings().READS


@contextlib.contextmanager
def no_cache() -> Iterator[None]:
    """Have every read inside the block, in this task, ask the database and store nothing; writes invalidate as ever."""
    token = _opted_out.set(True)
    try:
        yield
    finally:
        _opted_out.reset(token)


@contextlib.contextmanager
def active_in_tests() -> Iterator[None]:
    """Have the app act inside the block although a test runner is there."""
    global _asked_by_tests
    _asked_by_tests += 1
    try:
        yield
    finally:
        _asked_by_tests -= 1
