"""Crates in depots; what is declared about them, and whether at all, the settings of each process say."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

DECLARED: bool = getattr(settings, "DEPOT_DECLARED", True)


class Depot(models.Model):
    name = models.CharField(max_length=40)
    objects: ClassVar[models.Manager[Depot]] = models.Manager()

    class Meta:
        app_label = "depot"
        if DECLARED:
            cache_policy = {"ttl": "10m"}


class Label(models.Model):
    text = models.CharField(max_length=40)
    objects: ClassVar[models.Manager[Label]] = models.Manager()

    class Meta:
        app_label = "depot"


class Crate(models.Model):
    code = models.CharField(max_length=40, unique=True)
    depot = models.ForeignKey(Depot, on_delete=models.CASCADE)
    depot_id: int
    weight = models.IntegerField(default=0)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    labels = models.ManyToManyField(Label)
    objects: ClassVar[models.Manager[Crate]] = models.Manager()

    class Meta:
        app_label = "depot"
        if DECLARED:
            cache_policy = {"ttl": "10m", "lookups": ["depot"]}


class Note(models.Model):
    """Nobody declares anything about notes."""

    text = models.CharField(max_length=40)
    objects: ClassVar[models.Manager[Note]] = models.Manager()

    class Meta:
        app_label = "depot"


def cached(model: Any) -> Any:
    """Return the model's manager that reads through the cache; the plain one where the project knows of none."""
    return getattr(model, "cached", model.objects)


if DECLARED:
    from cache_consistency import CachedManager

    Depot.add_to_class("cached", CachedManager())
    Crate.add_to_class("cached", CachedManager())
