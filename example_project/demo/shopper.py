"""A reader: looks at products, lists, labels and customers through the services, and has each answer judged."""

import random
from collections.abc import Callable

from example_project.accounts import services as accounts
from example_project.accounts.models import Customer
from example_project.catalog import services as catalog
from example_project.catalog.models import Category, Product
from example_project.demo import judge
from example_project.demo.board import Board
from example_project.orders import services as orders

Act = Callable[[], str | None]
"""One read; returns what is wrong with it, or None."""


class Shopper:
    """All reads are checked; `acts` says how often each kind is made."""

    def __init__(self, board: Board, chance: random.Random) -> None:
        self.board = board
        self.chance = chance
        roster = board.roster
        self.number_of = {pk: number for number, (pk, _sku) in enumerate(roster.products)}
        self.flash_of = {sku: number for number, sku in enumerate(roster.flashes)}
        self.categories: dict[int, Category] = {found.pk: found for found in catalog.categories()}
        # Some products are looked at much more often than others: that is where readers and writers meet.
        self.popularity = [1 / (1 + number) ** 0.7 for number in range(len(roster.products))]
        self.acts: dict[Act, int] = {
            self.look_at_product: 50,
            self.look_at_product_by_pk: 12,
            self.browse_category: 14,
            self.look_at_flash: 6,
            self.browse_flashes: 3,
            self.look_at_labels: 5,
            self.look_at_customer: 5,
            self.count_orders: 3,
            self.look_at_categories: 2,
        }
        self._bag = [act for act, weight in self.acts.items() for _ in range(weight)]

    def next(self) -> Act:
        return self.chance.choice(self._bag)

    def _number(self) -> int:
        return self.chance.choices(range(len(self.popularity)), weights=self.popularity)[0]

    def look_at_product(self) -> str | None:
        number = self._number()
        floor = self.board.product(number)
        return judge.old_row(catalog.get_product(self.board.roster.products[number][1]).version, floor)

    def look_at_product_by_pk(self) -> str | None:
        number = self._number()
        floor = self.board.product(number)
        return judge.old_row(orders.product_by_pk(self.board.roster.products[number][0]).version, floor)

    def browse_category(self) -> str | None:
        category = self.categories[self.chance.choice(self.board.roster.categories)]
        page = self.chance.choice((1, 1, 1, 2, 2, 3))
        floors = self.board.products()
        found = catalog.list_category(category, page)
        return judge.old_rows(((self.number_of[p.pk], p.version) for p in found if p.pk in self.number_of), floors)

    def look_at_flash(self) -> str | None:
        number = self.chance.randrange(len(self.board.roster.flashes))
        before = self.board.flash(number)
        found = catalog.find_product(self.board.roster.flashes[number])
        return judge.came_and_went(found.version if found else None, before, self.board.flash(number))

    def browse_flashes(self) -> str | None:
        numbers = range(len(self.board.roster.flashes))
        before = [self.board.flash(number) for number in numbers]
        found = catalog.list_category(self.categories[self.board.roster.flash_category])
        after = [self.board.flash(number) for number in numbers]
        return judge.flash_list({self.flash_of[p.sku]: p.version for p in found if p.sku in self.flash_of}, before, after)

    def look_at_labels(self) -> str | None:
        number = self.chance.randrange(len(self.board.roster.labelled))
        pk, sku = self.board.roster.labelled[number]
        before = self.board.label(number)
        found = catalog.labels_of(Product(pk=pk, sku=sku))
        present = any(label.pk == self.board.roster.label for label in found)
        return judge.label_state(present=present, before=before, after=self.board.label(number))

    def look_at_customer(self) -> str | None:
        number = self.chance.randrange(len(self.board.roster.customers))
        floor = self.board.customer(number)
        return judge.old_row(accounts.get_customer(self.board.roster.customers[number]).version, floor)

    def count_orders(self) -> str | None:
        number = self.chance.randrange(len(self.board.roster.customers))
        floor = self.board.order_count(number)
        count = orders.order_count(Customer(pk=self.board.roster.customers[number]))
        return f"{count} orders, placed before the read: {floor}" if count < floor else None

    def look_at_categories(self) -> str | None:
        floors = self.board.categories()
        found = {category.pk: category for category in catalog.categories()}
        self.categories.update(found)
        versions = ((n, found[pk].version) for n, pk in enumerate(self.board.roster.categories) if pk in found)
        return judge.old_rows(versions, floors)
