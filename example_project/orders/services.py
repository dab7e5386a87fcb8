"""What the shop does with orders; views, admin and the demonstration's traffic go through these functions."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from example_project.accounts.models import Customer
from example_project.accounts.services import add_points
from example_project.catalog.models import Product
from example_project.catalog.services import final_price
from example_project.orders import legacy_cache
from example_project.orders.models import Order, OrderLine
from example_project.reads import once_cached_by, source
from example_project.versioning import counted


class OutOfStock(Exception):
    """An order that the shop cannot serve; nothing of it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one order did: every row as the transaction left it."""

    order: Order
    customer: Customer
    products: tuple[Product, ...]


# reading


@once_cached_by(legacy_cache.product_by_pk)
def product_by_pk(pk: int) -> Product:
    """:raises Product.DoesNotExist: no such product."""
    return source(Product).get(pk=pk)


@once_cached_by(legacy_cache.get_order)
def get_order(number: str) -> Order:
    """:raises Order.DoesNotExist: no such number."""
    return source(Order).get(number=number)


@once_cached_by(legacy_cache.lines_of)
def lines_of(order: Order) -> list[OrderLine]:
    return list(source(OrderLine).filter(order=order.pk).order_by("pk"))


@once_cached_by(legacy_cache.orders_of)
def orders_of(customer: Customer) -> list[Order]:
    """Return the newest twenty."""
    return list(source(Order).filter(customer=customer.pk).order_by("-pk")[:20])


@once_cached_by(legacy_cache.order_count)
def order_count(customer: Customer) -> int:
    return source(Order).filter(customer=customer.pk).count()


# writing


@transaction.atomic
def place_order(customer_pk: int, quantities: Mapping[str, int]) -> Receipt:
    """
    Sell: take the stock, write the order with its lines, add the customer's points.

    :param quantities: SKU -> how many, at least one of each.
    :raises OutOfStock: an unknown or retired SKU, or too few of it.
    :raises Customer.DoesNotExist: no such customer.
    """
    # In the order of their pks, so that two orders of the same products wait for each other and never deadlock.
    products = list(Product.objects.select_for_update().filter(sku__in=quantities, active=True).order_by("pk"))
    _refuse_what_is_missing(products, quantities)
    customer = Customer.objects.select_for_update().get(pk=customer_pk)
    order = Order(number=f"O-{secrets.token_hex(6).upper()}", customer=customer)
    lines = [
        OrderLine(order=order, product=product, name=product.name, quantity=quantities[product.sku], price=final_price(product))
        for product in products
    ]
    order.total = sum((line.amount for line in lines), start=order.total)
    order.save()
    OrderLine.objects.bulk_create(lines)
    for product in products:
        Product.objects.filter(pk=product.pk).update(**counted(stock=F("stock") - quantities[product.sku]))
    add_points(customer_pk, int(order.total))
    return _receipt(order)


def _refuse_what_is_missing(products: list[Product], quantities: Mapping[str, int]) -> None:
    in_stock = {product.sku: product.stock for product in products}
    for sku, quantity in quantities.items():
        if quantity < 1:
            raise OutOfStock(f"{quantity} × {sku} is nothing to sell")
        if in_stock.get(sku, 0) < quantity:
            raise OutOfStock(f"{quantity} × {sku} were asked for, {in_stock.get(sku, 0)} are there")


@transaction.atomic
def cancel_order(number: str) -> Receipt | None:
    """Take an order back that was not shipped, and its goods into the stock; None if there is nothing to cancel any more."""
    order = Order.objects.select_for_update().get(number=number)
    if order.status != Order.Status.PLACED:
        return None
    order.status = Order.Status.CANCELLED
    order.save(update_fields=["status"])
    for line in OrderLine.objects.filter(order=order).order_by("product_id"):
        if line.product_id is not None:
            Product.objects.filter(pk=line.product_id).update(**counted(stock=F("stock") + line.quantity))
    return _receipt(order)


@transaction.atomic
def ship_order(number: str) -> Order | None:
    """Mark an order as sent; None if it is not waiting for that."""
    order = Order.objects.select_for_update().get(number=number)
    if order.status != Order.Status.PLACED:
        return None
    order.status = Order.Status.SHIPPED
    order.save(update_fields=["status"])
    return order


def _receipt(order: Order) -> Receipt:
    """Read back what this transaction has just written: the rows are locked by it, so these are the versions it commits."""
    return Receipt(
        order=order,
        customer=Customer.objects.get(orders=order),
        products=tuple(Product.objects.filter(lines__order=order).distinct().order_by("pk")),
    )
