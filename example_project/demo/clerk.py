"""
A writer: sells, restocks, prices, renames, creates and retires through the services, in every form of write that Django has.

After a service *returned*, and not before, its writer raises the floors on the board. Services that work under a lock say which version
they left; of an ``UPDATE`` in autocommit nobody knows it, but it is at least one more than what was known before.
"""

import random
from collections.abc import Callable, Iterable
from decimal import Decimal

from example_project.accounts import services as accounts
from example_project.accounts.models import Customer
from example_project.catalog import services as catalog
from example_project.catalog.models import Category, Label, Product, Supplier
from example_project.demo.board import Board
from example_project.orders import services as orders

Act = Callable[[], None]


class Clerk:
    """One of several; ``own`` (0, 1, …) and ``of`` say which of the rows that come and go belong to it."""

    def __init__(self, board: Board, chance: random.Random, *, own: int, of: int) -> None:
        self.board = board
        self.chance = chance
        roster = board.roster
        self.number_of = {pk: number for number, (pk, _sku) in enumerate(roster.products)}
        self.number_of_customer = {pk: number for number, pk in enumerate(roster.customers)}
        self.own_flashes = range(own, len(roster.flashes), of)
        self.own_labels = range(own, len(roster.labelled), of)
        self.flash_category = Category.objects.get(pk=roster.flash_category)
        self.supplier = Supplier.objects.order_by("pk")[0]
        self.label = Label.objects.get(pk=roster.label)
        self.placed: list[str] = []
        self.acts: dict[Act, int] = {
            self.restock: 24,
            self.update_price: 16,
            self.place_order: 12,
            self.cancel_or_ship: 5,
            self.correct_stocks: 8,
            self.reprice: 5,
            self.rename_product: 5,
            self.move_product: 4,
            self.rename_customer: 4,
            self.change_tier: 3,
            self.toggle_flash: 7,
            self.toggle_label: 5,
            self.review: 2,
            self.rename_category: 1,
        }
        self._bag = [act for act, weight in self.acts.items() for _ in range(weight)]

    def next(self) -> Act:
        return self.chance.choice(self._bag)

    # products
    def _number(self) -> int:
        """Half of the writes go to a tenth of the products, the ones that are looked at most."""
        n = len(self.board.roster.products)
        return self.chance.randrange(max(1, n // 10) if self.chance.random() < 0.5 else n)

    def _skus(self, n: int) -> list[str]:
        return [self.board.roster.products[number][1] for number in {self._number() for _ in range(n)}]

    def _publish(self, products: Iterable[Product]) -> None:
        for product in products:
            if product.pk in self.number_of:
                self.board.raise_product(self.number_of[product.pk], product.version)

    def restock(self) -> None:
        number = self._number()
        before = self.board.product(number)
        if catalog.restock(self.board.roster.products[number][1], self.chance.randrange(1, 20)):
            self.board.raise_product(number, before + 1)

    def update_price(self) -> None:
        self._publish([catalog.update_price(self._skus(1)[0], Decimal(self.chance.randrange(450, 25000)) / 100)])

    def correct_stocks(self) -> None:
        self._publish(catalog.correct_stocks({sku: self.chance.randrange(200, 5000) for sku in self._skus(3)}))

    def reprice(self) -> None:
        self._publish(catalog.reprice(self._skus(3), self.chance.choice((-2, 2))))

    def rename_product(self) -> None:
        sku = self._skus(1)[0]
        name = Product.objects.values_list("name", flat=True).get(sku=sku)
        self._publish([catalog.rename_product(sku, name.removesuffix(" II") if name.endswith(" II") else f"{name} II")])

    def move_product(self) -> None:
        category = Category(pk=self.chance.choice(self.board.roster.categories))
        self._publish([catalog.move_product(self._skus(1)[0], category)])

    def review(self) -> None:
        pk, _sku = self.board.roster.products[self._number()]
        customer = Customer(pk=self.chance.choice(self.board.roster.customers))
        catalog.add_review(Product(pk=pk), customer, rating=self.chance.randrange(3, 6))

    # orders and customers
    def place_order(self) -> None:
        number = self.chance.randrange(len(self.board.roster.customers))
        before = self.board.order_count(number)
        quantities = {sku: self.chance.randrange(1, 4) for sku in self._skus(self.chance.randrange(1, 4))}
        try:
            receipt = orders.place_order(self.board.roster.customers[number], quantities)
        except orders.OutOfStock:
            return  # an answer, not a failure: nothing was written
        self._publish(receipt.products)
        self.board.raise_customer(number, receipt.customer.version)
        self.board.raise_order_count(number, before + 1)
        self.placed.append(receipt.order.number)

    def cancel_or_ship(self) -> None:
        if not self.placed:
            return
        number = self.placed.pop(self.chance.randrange(len(self.placed)))
        if self.chance.random() < 0.5:
            orders.ship_order(number)
        elif (receipt := orders.cancel_order(number)) is not None:
            self._publish(receipt.products)

    def rename_customer(self) -> None:
        number = self.chance.randrange(len(self.board.roster.customers))
        pk = self.board.roster.customers[number]
        name = Customer.objects.values_list("name", flat=True).get(pk=pk)
        changed = accounts.rename_customer(pk, name.removesuffix(" jr.") if name.endswith(" jr.") else f"{name} jr.")
        self.board.raise_customer(number, changed.version)

    def change_tier(self) -> None:
        number = self.chance.randrange(len(self.board.roster.customers))
        changed = accounts.change_tier(self.board.roster.customers[number], self.chance.choice(Customer.Tier.values))
        self.board.raise_customer(number, changed.version)

    def rename_category(self) -> None:
        number = self.chance.randrange(len(self.board.roster.categories))
        pk = self.board.roster.categories[number]
        name = Category.objects.values_list("name", flat=True).get(pk=pk)
        changed = catalog.rename_category(pk, name.removesuffix(" & more") if name.endswith(" & more") else f"{name} & more")
        self.board.raise_category(number, changed.version)

    # what comes and goes
    def toggle_flash(self) -> None:
        if not self.own_flashes:
            return
        number = self.chance.choice(self.own_flashes)
        sku = self.board.roster.flashes[number]
        # What is there is asked of the database: an act that failed may or may not have been committed.
        sequence, present = (self.board.flash(number).begun >> 1) + 1, not Product.objects.filter(sku=sku).exists()
        self.board.begin_flash(number, sequence << 1 | present)
        if present:
            catalog.create_product(
                sku=sku, name=f"Flash deal {number + 1}", price=Decimal(self.chance.randrange(100, 900)) / 100, stock=10,
                category=self.flash_category, supplier=self.supplier, version=sequence,
            )  # fmt: skip
        else:
            catalog.retire_product(sku)
        self.board.finish_flash(number, sequence << 1 | present)

    def toggle_label(self) -> None:
        if not self.own_labels:
            return
        number = self.chance.choice(self.own_labels)
        product = Product.objects.get(pk=self.board.roster.labelled[number][0])
        sequence, present = (self.board.label(number).begun >> 1) + 1, not product.labels.contains(self.label)
        self.board.begin_label(number, sequence << 1 | present)
        (catalog.put_label if present else catalog.take_label)(product, self.label)
        self.board.finish_label(number, sequence << 1 | present)
