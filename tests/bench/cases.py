"""The cases: what is compared with what, and the mark that the ratio should reach."""

from __future__ import annotations

import dataclasses
import itertools
import socket
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction

from cache_consistency.capture import hooks
from example_project.catalog.models import Category, Country, Product, Supplier
from tests.bench.measuring import Way
from tests.shelf.models import MeasuredByKey, MeasuredByLookups

DATABASE = "postgres"
ROWS = 400
LISTED = 50


@dataclasses.dataclass(frozen=True)
class Case:
    """One comparison; ``mark`` is for the ratio ``numerator / denominator`` of the p50."""

    name: str
    ways: Mapping[str, Way]
    numerator: str
    denominator: str
    mark: float
    at_least: bool
    """Whether the ratio should be at least the mark (how much faster) or at most (how much it costs)."""
    calls: int = 50

    def reaches(self, ratio: float) -> bool:
        return ratio >= self.mark if self.at_least else ratio <= self.mark


def fill() -> None:
    """Make the rows: fifty of one mark, the others spread."""
    for model in (MeasuredByKey, MeasuredByLookups):
        rows = [
            model(isbn=f"isbn-{n}", title=f"title {n}", mark="L" if n < LISTED else f"M{n % 40}", shelf=n % 20, price=n)
            for n in range(ROWS)
        ]
        model.objects.using(DATABASE).bulk_create(rows)


def stock_the_shop() -> int:
    """Make a shelf of fifty products, rows as wide as shops have them; returns the category's pk."""
    category, made = Category.objects.using(DATABASE).get_or_create(name="Measured", slug="measured")
    if not made:
        return int(category.pk)
    country = Country.objects.using(DATABASE).create(code="NL", name="Netherlands")
    supplier = Supplier.objects.using(DATABASE).create(name="Measured", country=country)
    Product.objects.using(DATABASE).bulk_create([
        Product(
            sku=f"ME-{n}", slug=f"measured-{n}", name=f"Measured {n}", description="Comes with everything it needs and nothing else.",
            price=Decimal(n), stock=n, category=category, supplier=supplier, attributes={"weight_g": n, "colours": ["moss", "sand"]},
        )
        for n in range(LISTED)
    ])
    return int(category.pk)


def cases(redis: socket.socket) -> list[Case]:
    """Return all cases; ``redis`` is a connection to the server that nobody else uses."""
    return [*_reads(redis), *_writes()]


def _reads(redis: socket.socket) -> list[Case]:
    managers: Any = MeasuredByLookups
    cached, plain = managers.cached.db_manager(DATABASE), managers.objects.using(DATABASE)
    keys = list(plain.order_by("pk").values_list("pk", flat=True))
    turn = itertools.cycle(keys)
    hundred, shelf = keys[:100], stock_the_shop()
    for pk in keys:
        cached.get(pk=pk)
    return [
        Case("get(pk), a hit, against PostgreSQL", {
            "cached.get": Way(lambda: cached.get(pk=next(turn))),
            "objects.get": Way(lambda: plain.get(pk=next(turn))),
            "raw GET": Way(raw_get(redis)),
        }, "objects.get", "cached.get", 4.0, at_least=True, calls=100),
        Case("list of 50, against PostgreSQL", {
            "cached.filter": Way(lambda: list(cached.filter(mark="L"))),
            "objects.filter": Way(lambda: list(plain.filter(mark="L"))),
        }, "objects.filter", "cached.filter", 3.0, at_least=True),
        Case("list of 50 of the shop's products", {
            "Product.cached": Way(lambda: list(Product.cached.using(DATABASE).filter(category_id=shelf))),
            "Product.objects": Way(lambda: list(Product.objects.using(DATABASE).filter(category_id=shelf))),
        }, "Product.objects", "Product.cached", 3.0, at_least=True),
        Case("100 rows by pk, against PostgreSQL", {
            "cached.get_many": Way(lambda: cached.get_queryset().get_many(hundred)),
            "objects.in_bulk": Way(lambda: plain.in_bulk(hundred)),
        }, "objects.in_bulk", "cached.get_many", 5.5, at_least=True, calls=20),
    ]


def _writes() -> list[Case]:
    return [
        _write("save() in autocommit", MeasuredByKey, _save, 1.7),
        _write("save() in atomic()", MeasuredByKey, _save_in_atomic, 1.3),
        _write("save() in autocommit, two lookups", MeasuredByLookups, _save, 1.7),
        _write("update() of one row in autocommit", MeasuredByKey, _update, 1.7),
    ]


def _write(name: str, model: Any, write: Callable[[Any, int], object], mark: float) -> Case:
    """Compare a write with the same write while nothing of Django is replaced."""
    row = model.objects.using(DATABASE).order_by("pk").last()
    numbers = itertools.count()

    def act() -> object:
        return write(row, next(numbers))
    ways = {"with": Way(act, hooks.install), "without": Way(act, hooks.uninstall)}
    return Case(name, ways, "with", "without", mark, at_least=False, calls=20)


def _save(row: Any, number: int) -> None:
    row.version = number
    row.save()


def _save_in_atomic(row: Any, number: int) -> None:
    with transaction.atomic(using=DATABASE):
        _save(row, number)


def _update(row: Any, number: int) -> None:
    type(row).objects.using(DATABASE).filter(pk=row.pk).update(version=number)


def raw_get(conversation: socket.socket) -> Callable[[], object]:
    """Return a call that does the least that any cache must do: one GET on a socket."""
    conversation.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    value = b"x" * 200
    conversation.sendall(b"*3\r\n$3\r\nSET\r\n$5\r\nbench\r\n$200\r\n%b\r\n" % value)
    conversation.recv(4096)

    def get() -> bytes:
        conversation.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nbench\r\n")
        return conversation.recv(4096)
    return get
