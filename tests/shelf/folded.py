"""A lookup whose equality is not the bytes': which collation folds case differs between databases. The tests make the tables."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from cache_consistency import CachedManager

COLLATION = "shelf_folded"


class Folded(models.Model):
    version = models.IntegerField(default=1)

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        abstract = True
        app_label = "shelf"
        managed = False
        cache_policy = {"lookups": ["mark"]}


class FoldedOnSqlite(Folded):
    mark = models.CharField(max_length=20, db_collation="NOCASE")

    class Meta(Folded.Meta):
        db_table = "shelf_folded"


class FoldedOnPostgres(Folded):
    mark = models.CharField(max_length=20, db_collation=COLLATION)

    class Meta(Folded.Meta):
        db_table = "shelf_folded_postgres"


def for_vendor(vendor: str) -> type[Folded]:
    return FoldedOnPostgres if vendor == "postgresql" else FoldedOnSqlite


def prepare(vendor: str) -> list[str]:
    """Return what has to be said before the table is made."""
    if vendor != "postgresql":
        return []
    return [f"CREATE COLLATION IF NOT EXISTS {COLLATION} (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"]
