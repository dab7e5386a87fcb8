"""Callbacks for answers that nobody waits for: they run inside somebody else's request, so what they raise must not end that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger("cache_consistency")
Answer = TypeVar("Answer")


def tell(callback: Callable[[Answer], None], answer: Answer) -> None:
    """Hand ``answer`` over; an exception is logged with its traceback."""
    try:
        callback(answer)
    except Exception:
        logger.exception("a callback for a late answer of the store failed")
