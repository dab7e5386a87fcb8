"""Tables and fields that are legal and that few people have."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from cache_consistency import CachedManager


class Strange(models.Model):
    """``version`` is what writers count up."""

    version = models.IntegerField(default=1)

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        abstract = True
        cache_policy = {"ttl": "1h"}


def cached_in(database: str, model: Any) -> Any:
    """Return the cached manager of ``model`` on the alias ``database``."""
    return model.cached.db_manager(database)


class FoldedField(models.CharField):  # type: ignore[type-arg]
    """Folds case on the way into the database, and only there."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # Django's signature
        value = super().get_db_prep_value(value, connection, prepared)
        return value.lower() if isinstance(value, str) else value


class Folded(Strange):
    code = FoldedField(max_length=20, unique=True)


class Dotted(Strange):
    """Django quotes the whole: there is no schema in this name."""

    class Meta(Strange.Meta):
        db_table = "strange.dotted"


class Street(Strange):
    """A name that is another one after ``upper()`` and ``lower()``."""

    class Meta(Strange.Meta):
        db_table = "straße"
