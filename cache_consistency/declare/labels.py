"""``"shop.Product"`` and ``"shop.Product:42"``: how people name a model and one of its rows."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Model

from cache_consistency.exceptions import InvalidationError


def parse_label(text: str) -> tuple[type[Model], str | None]:
    """
    Take ``"shop.Product:42"`` or ``"shop.Product"`` apart.

    :raises InvalidationError: there is no such model.
    """
    label, _, pk = text.partition(":")
    try:
        return apps.get_model(label), pk or None
    except (LookupError, ValueError) as error:
        raise InvalidationError(f"{text!r}: there is no model {label!r}; write 'app.Model' or 'app.Model:pk'") from error
