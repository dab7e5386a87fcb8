"""
The one seam through which the services read: the same service, three ways to get its data.

``consistent``  through ``Model.cached``
``naive``       through the hand-made caching the shop once had (``legacy_cache.py`` of each app)
``off``         from the database
"""

import enum
import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import models
from django.http import HttpRequest

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)


class Mode(enum.StrEnum):
    CONSISTENT = "consistent"
    NAIVE = "naive"
    OFF = "off"


def mode() -> Mode:
    """
    Return how the services read now.

    :raises ValueError: ``CACHE`` holds none of the three.
    """
    return Mode(getattr(settings, "SHOP_CACHE", Mode.CONSISTENT))


def source(model: type[M]) -> "models.Manager[M]":
    """Return the manager to read ``model`` through."""
    name = "cached" if mode() is Mode.CONSISTENT else "objects"
    manager: models.Manager[M] = getattr(model, name)
    return manager


def once_cached_by(legacy: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have ``legacy`` answer in place of the decorated service while the shop reads the ``naive`` way."""

    def decorate(service: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(service)
        def chosen(*args: P.args, **kwargs: P.kwargs) -> R:
            return (legacy if mode() is Mode.NAIVE else service)(*args, **kwargs)

        return chosen

    return decorate


def context(request: HttpRequest) -> dict[str, Any]:
    """Tell every page how it was read."""
    return {"read_mode": mode().value, "database_vendor": settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]}
