# mypy: disable-error-code="no-any-return"
# Left in the style it was written in.
"""
The accounts' caching as it was before: kept, with its bugs, to be compared and to be audited. It runs only under ``CACHE=naive``.

What is wrong with it: one copy for each language, of which a write deletes the writer's own only; and points are added by ``update()``,
of which this room never hears.
"""

from typing import Any

from django.core.cache import cache
from django.db.models import signals
from django.utils.translation import get_language

from example_project.accounts.models import Address, Customer

LIFETIME = 3600


def make_key(kind: str, pk: int, lang: str | None = None) -> str:
    return "|".join([kind, str(pk), lang or get_language() or "en"])


def get_customer(pk: int) -> Customer:
    key = make_key("Customer", pk)
    customer = cache.get(key)
    if customer is None:
        customer = Customer.objects.get(pk=pk)
        cache.set(key, customer, LIFETIME)
    return customer


def addresses_of(customer: Customer) -> list[Address]:
    key = make_key("Address", customer.pk)
    found = cache.get(key)
    if found is None:
        found = list(Address.objects.filter(customer=customer).order_by("pk"))
        cache.set(key, found, LIFETIME)
    return found


def forget_customer(instance: Customer, **kwargs: Any) -> None:
    cache.delete(make_key("Customer", instance.pk))


def connect() -> None:
    signals.post_save.connect(forget_customer, sender=Customer)


def disconnect() -> None:
    signals.post_save.disconnect(forget_customer, sender=Customer)
