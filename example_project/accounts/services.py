"""What the shop does with its customers; views, admin and the demonstration's traffic go through these functions."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from example_project.accounts import legacy_cache
from example_project.accounts.models import Address, Customer
from example_project.reads import once_cached_by, source
from example_project.versioning import counted


@once_cached_by(legacy_cache.get_customer)
def get_customer(pk: int) -> Customer:
    """:raises Customer.DoesNotExist: no such customer."""
    return source(Customer).get(pk=pk)


@once_cached_by(legacy_cache.addresses_of)
def addresses_of(customer: Customer) -> list[Address]:
    return list(source(Address).filter(customer=customer.pk).order_by("pk"))


def customer_of(user: User) -> Customer | None:
    """Return the customer that this user is; None for staff that never bought."""
    try:
        return source(Customer).get(user=user.pk)
    except Customer.DoesNotExist:
        return None


@transaction.atomic
def rename_customer(pk: int, name: str) -> Customer:
    customer = Customer.objects.select_for_update().get(pk=pk)
    customer.name = name
    customer.save()
    return customer


@transaction.atomic
def change_tier(pk: int, tier: str) -> Customer:
    customer = Customer.objects.select_for_update().get(pk=pk)
    customer.tier = tier
    customer.save(update_fields=["tier"])
    return customer


def add_points(pk: int, points: int) -> None:
    """Add by one ``UPDATE``; inside the caller's transaction, if there is one."""
    Customer.objects.filter(pk=pk).update(**counted(points=F("points") + points))
