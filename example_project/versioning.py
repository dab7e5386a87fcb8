"""
Rows that count their own writes.

The count lets anybody tell an old copy of a row from a new one: the demonstration's checker compares it with the highest count whose
write had returned. So **every** write adds one in the database itself, in the same statement; nothing ever sets it from a remembered value.
"""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import F
from django.utils import timezone


class Versioned(models.Model):
    version = models.PositiveBigIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save, counting; afterwards ``version`` is a number again (read in the same transaction, if there is one)."""
        if not self._state.adding:
            self.version = F("version") + 1
            self.updated_at = timezone.now()
            if update_fields is not None:
                update_fields = {*update_fields, "version", "updated_at"}
        super().save(update_fields=update_fields, **kwargs)
        if hasattr(self.version, "resolve_expression"):  # Django before 6.0 leaves the expression on the instance
            self.refresh_from_db(fields=["version"])


def counted(**values: Any) -> dict[str, Any]:
    """Return ``values`` for ``QuerySet.update``, with the count and the time of the write."""
    return {**values, "version": F("version") + 1, "updated_at": timezone.now()}
