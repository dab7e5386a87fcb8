"""
Fill an empty shop: the same shop for the same seed, in batches, telling how far it is.

Every step is a `bulk_create` per batch, so 2000 products, 500 customers and 1000 orders take a few seconds.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import models, transaction
from django.utils.text import slugify

from example_project.accounts.models import Address, Customer
from example_project.catalog.models import Category, Country, Label, PriceList, Product, Review, Supplier
from example_project.orders.models import Order, OrderLine
from example_project.sizes import Size

M = TypeVar("M", bound=models.Model)
Progress = Callable[[str, int, int], None]
"""(what, rows done, rows in all), called after each batch."""

BATCH = 500
COUNTRIES = {"NL": "Netherlands", "DE": "Germany", "PT": "Portugal", "JP": "Japan", "DK": "Denmark", "IT": "Italy"}
CITIES = {"NL": "Utrecht", "DE": "Leipzig", "PT": "Porto", "JP": "Kyoto", "DK": "Aarhus", "IT": "Turin"}
TREE = {
    "Kitchen": {"Coffee": "Grinder", "Knives": "Knife", "Pots": "Pot"},
    "Living": {"Lamps": "Lamp", "Chairs": "Chair", "Rugs": "Rug"},
    "Outdoor": {"Tents": "Tent", "Bottles": "Bottle", "Lanterns": "Lantern"},
    "Desk": {"Notebooks": "Notebook", "Pens": "Pen", "Clocks": "Clock"},
}
"""Root -> leaf -> what one thing from it is called."""
THINGS = {leaf: thing for leaves in TREE.values() for leaf, thing in leaves.items()}
LABELS = ("new", "sale", "handmade", "vegan", "repairable", "gift", "limited", "bestseller")
MATERIALS = ("Oak", "Steel", "Copper", "Linen", "Glass", "Bamboo", "Wool", "Enamel", "Walnut", "Cork")
CHARACTERS = ("Quiet", "Nordic", "Daily", "Little", "Grand", "Classic", "Swift", "Honest", "Evening", "Harbour")
FIRST = ("Ada", "Bram", "Chiara", "Dries", "Emi", "Femke", "Gil", "Hana", "Ines", "Jonas", "Kenji", "Lotte", "Marco", "Nora", "Otto")
LAST = ("de Vries", "Schmidt", "Silva", "Tanaka", "Jensen", "Rossi", "Bakker", "Weber", "Costa", "Mori", "Holm", "Greco")
OPINIONS = ("Does what it should.", "Better than the picture.", "Arrived in a day.", "A gift that was kept.", "Would buy it again.")


class ShopNotEmpty(Exception):
    """There are products already; seeding adds to nothing."""


def is_seeded() -> bool:
    return Product.objects.exists()


@transaction.atomic
def empty() -> None:
    """Delete everything the shop holds but its users."""
    for model in (Order, Customer, Product, PriceList, Category, Supplier, Country, Label):
        model._default_manager.all().delete()


def seed(size: Size, *, random_seed: int = 1, progress: Progress = lambda what, done, total: None) -> None:
    """
    Fill an empty shop.

    :raises ShopNotEmpty: it is not; call `empty` first.
    """
    if is_seeded():
        raise ShopNotEmpty
    chance = random.Random(random_seed)
    with transaction.atomic():
        leaves, suppliers, labels = _shelves(chance)
        products = _insert("products", _products(chance, size.products, leaves, suppliers), size.products, progress)
        _labels(chance, products, labels)
        customers = _insert("customers", _customers(chance, size.customers), size.customers, progress)
        Address.objects.bulk_create([_address(chance, customer) for customer in customers], batch_size=BATCH)
        if products and customers:
            _insert("reviews", _reviews(chance, products, customers), len(products) // 2, progress)
            orders = _insert("orders", _orders(chance, size.orders, customers), size.orders, progress)
            _lines(chance, orders, products)


def make_user(username: str, password: str, *, staff: bool) -> User:
    """Create or reset a login; one that is not staff belongs to the first customer who has none."""
    user, _ = User.objects.get_or_create(username=username)
    user.set_password(password)
    user.is_staff = user.is_superuser = staff
    user.save()
    if not staff and not Customer.objects.filter(user=user).exists():
        customer = Customer.objects.filter(user=None).order_by("pk").first()
        if customer is not None:
            customer.user = user
            customer.save(update_fields=["user"])
    return user


def _insert(what: str, rows: Iterator[M], total: int, progress: Progress) -> list[M]:
    done: list[M] = []
    progress(what, 0, total)
    while batch := [row for _, row in zip(range(BATCH), rows, strict=False)]:
        done += type(batch[0])._default_manager.bulk_create(batch)
        progress(what, len(done), total)
    return done


def _shelves(chance: random.Random) -> tuple[list[Category], list[Supplier], list[Label]]:
    countries = Country.objects.bulk_create([Country(code=code, name=name) for code, name in COUNTRIES.items()])
    suppliers = Supplier.objects.bulk_create(
        [Supplier(name=f"{chance.choice(LAST)} & {chance.choice(LAST)}", country=chance.choice(countries)) for _ in range(20)]
    )
    roots = Category.objects.bulk_create([Category(name=name, slug=slugify(name), position=10 * n) for n, name in enumerate(TREE)])
    leaves = Category.objects.bulk_create(
        [
            Category(name=name, slug=slugify(name), parent=root, position=root.position + n)
            for root in roots
            for n, name in enumerate(TREE[root.name], 1)
        ]
    )
    labels = Label.objects.bulk_create([Label(name=name) for name in LABELS])
    PriceList.objects.create(name="Spring sale", category=leaves[0], percent=15, active=True)
    return leaves, suppliers, labels


def _products(chance: random.Random, n: int, leaves: Sequence[Category], suppliers: Sequence[Supplier]) -> Iterator[Product]:
    for i in range(1, n + 1):
        category = leaves[i % len(leaves)]
        material = chance.choice(MATERIALS)
        name = f"{chance.choice(CHARACTERS)} {material} {THINGS[category.name]}"
        sku = f"{category.name[:2].upper()}-{i:05}"
        yield Product(
            sku=sku, slug=f"{slugify(name)}-{sku.lower()}", name=name, category=category, supplier=chance.choice(suppliers),
            price=Decimal(chance.randrange(450, 25000)) / 100, stock=chance.randrange(200, 5000),
            description=f"{material}, made to last. Comes with everything it needs and nothing else.",
            attributes={
                "material": material.lower(),
                "weight_g": chance.randrange(50, 4000),
                "colours": chance.sample(["sand", "ink", "moss", "clay"], 2),
            },
        )  # fmt: skip


def _labels(chance: random.Random, products: Sequence[Product], labels: Sequence[Label]) -> None:
    through = Product.labels.through
    through._default_manager.bulk_create(
        [through(product_id=product.pk, label_id=label.pk) for product in products for label in chance.sample(labels, chance.randrange(3))],
        batch_size=BATCH,
    )


def _customers(chance: random.Random, n: int) -> Iterator[Customer]:
    for i in range(1, n + 1):
        tier = chance.choices(Customer.Tier.values, weights=(7, 2, 1))[0]
        name = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
        yield Customer(number=f"C-{i:05}", name=name, email=f"c{i}@example.com", tier=tier, points=chance.randrange(2000))


def _address(chance: random.Random, customer: Customer) -> Address:
    code = chance.choice(list(COUNTRIES))
    street = f"{chance.choice(LAST)}straat {chance.randrange(1, 200)}"
    return Address(customer=customer, street=street, city=CITIES[code], postcode=str(chance.randrange(1000, 9999)), country_code=code)


def _reviews(chance: random.Random, products: Sequence[Product], customers: Sequence[Customer]) -> Iterator[Review]:
    for _ in range(len(products) // 2):
        rating = chance.choices((5, 4, 3, 2, 1), weights=(5, 4, 2, 1, 1))[0]
        yield Review(product=chance.choice(products), customer=chance.choice(customers), rating=rating, text=chance.choice(OPINIONS))


def _orders(chance: random.Random, n: int, customers: Sequence[Customer]) -> Iterator[Order]:
    for i in range(1, n + 1):
        yield Order(number=f"O-{i:06}", customer=chance.choice(customers), status=chance.choice(Order.Status.values))


def _lines(chance: random.Random, orders: Sequence[Order], products: Sequence[Product]) -> None:
    lines = [
        OrderLine(order=order, product=product, name=product.name, quantity=chance.randrange(1, 4), price=product.price)
        for order in orders
        for product in chance.sample(products, min(len(products), chance.randrange(1, 4)))
    ]
    OrderLine.objects.bulk_create(lines, batch_size=BATCH)
    totals: dict[int, Decimal] = {}
    for line in lines:
        totals[line.order_id] = totals.get(line.order_id, Decimal(0)) + line.amount
    for order in orders:
        order.total = totals.get(order.pk, Decimal(0))
    Order.objects.bulk_update(orders, ["total"], batch_size=BATCH)
