"""
Before a thread is idle: read the answers to its last RESOLVEs.

They are left open while the thread goes on, see `Service`, and are nearly always good. One that is not (the server forgot its scripts
between MARK and RESOLVE, or the connection was lost) has to be acted on soon, and a worker that waits for its next request does not use the
store. So they are read at the end of each request and of each Celery task; both cost nothing where nothing is open. A thread that ends and
a process that ends read theirs as well.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from django.core.signals import request_finished

from cache_consistency import stores

_UID = "cache_consistency.idle"


def connect() -> None:
    """Listen for the end of requests, and of tasks if this process has imported Celery; doing it twice changes nothing."""
    request_finished.connect(about_to_be_idle, dispatch_uid=_UID)
    if "celery" in sys.modules:
        importlib.import_module("celery.signals").task_postrun.connect(about_to_be_idle, weak=False, dispatch_uid=_UID)


def about_to_be_idle(**kwargs: Any) -> None:
    """Read what is open in this thread."""
    stores.flush_replies()
