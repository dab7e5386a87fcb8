# mypy: disable-error-code="no-any-return"
# ruff: noqa: UP031, FBT001
# Left in the style it was written in.
"""
The orders' caching as it was before: kept, with its bugs, to be compared and to be audited. It runs only under ``CACHE=naive``.

What is wrong with it: it keeps a second copy of every product, under a key that the catalog does not know and nobody deletes; it deletes
an order's key inside the transaction that changes the order; and the number of orders is added up in the cache, whatever the database did.
"""

from typing import Any

from django.core.cache import cache
from django.db.models import signals

from example_project.accounts.models import Customer
from example_project.catalog.models import Product
from example_project.orders.models import Order, OrderLine


def product_by_pk(pk: int) -> Product:
    product = cache.get("product_%s" % pk)
    if not product:
        product = Product.objects.get(pk=pk)
        cache.set("product_%s" % pk, product, 300)
    return product


def get_order(number: str) -> Order:
    order = cache.get("order_%s" % number)
    if not order:
        order = Order.objects.get(number=number)
        cache.set("order_%s" % number, order, None)
    return order


def lines_of(order: Order) -> list[OrderLine]:
    return list(OrderLine.objects.filter(order=order).order_by("pk"))


def orders_of(customer: Customer) -> list[Order]:
    orders = cache.get("orders_of_%s" % customer.pk)
    if not orders:
        orders = list(Order.objects.filter(customer=customer).order_by("-pk")[:20])
        cache.set("orders_of_%s" % customer.pk, orders, 3600)
    return orders


def order_count(customer: Customer) -> int:
    count = cache.get("order_count_%s" % customer.pk)
    if not count:
        count = Order.objects.filter(customer=customer).count()
        cache.set("order_count_%s" % customer.pk, count, 3600)
    return count


def forget_order(instance: Order, created: bool, **kwargs: Any) -> None:
    cache.delete("order_%s" % instance.number)
    cache.delete("orders_of_%s" % instance.customer_id)
    if created and cache.get("order_count_%s" % instance.customer_id):
        cache.incr("order_count_%s" % instance.customer_id)


def connect() -> None:
    signals.post_save.connect(forget_order, sender=Order)


def disconnect() -> None:
    signals.post_save.disconnect(forget_order, sender=Order)
