import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from example_project import seeding
from example_project.accounts.models import Customer
from example_project.catalog.models import Product
from example_project.orders.models import Order
from example_project.sizes import Size

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mode")]


def seed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("seed", "--products", "30", "--customers", "8", "--orders", "12", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def picture() -> list[tuple[object, ...]]:
    return [*Product.objects.values_list("sku", "name", "price", "stock"), *Order.objects.values_list("number", "total")]


def test_it_fills_the_shop_and_says_what_is_in_it() -> None:
    said = seed()
    assert (Product.objects.count(), Customer.objects.count(), Order.objects.count()) == (30, 8, 12)
    assert "30 products, 8 customers and 12 orders" in said
    assert all(order.total == sum(line.amount for line in order.lines.all()) for order in Order.objects.all())


def test_the_same_seed_makes_the_same_shop_and_another_one_another() -> None:
    seed()
    first = picture()
    seed("--fresh")
    assert picture() == first
    seed("--fresh", "--random-seed", "2")
    assert picture() != first


def test_it_adds_nothing_to_a_shop_that_is_not_empty() -> None:
    seed()
    with pytest.raises(CommandError, match="--fresh") as refused:
        seed()
    assert refused.value.returncode == 2
    assert Product.objects.count() == 30


def test_progress_reaches_its_end_for_every_kind_of_row() -> None:
    seen: dict[str, tuple[int, int]] = {}
    seeding.seed(Size(products=4, customers=3, orders=2), progress=lambda what, done, total: seen.update({what: (done, total)}))
    assert seen == {"products": (4, 4), "customers": (3, 3), "reviews": (2, 2), "orders": (2, 2)}


def test_an_empty_size_makes_shelves_without_goods() -> None:
    seeding.seed(Size(products=0, customers=0, orders=0))
    assert not seeding.is_seeded()


def test_logins_are_made_and_the_customers_one_belongs_to_a_customer() -> None:
    seed("--logins")
    assert User.objects.get(username="admin").is_superuser
    assert User.objects.get(username="customer").customer.number == "C-00001"
    seeding.make_user("customer", "customer", staff=False)
    assert Customer.objects.exclude(user=None).count() == 1


@pytest.mark.parametrize("wrong", [("--products", "-1"), ("--products", "many")])
def test_a_senseless_number_is_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match="--products"):
        call_command("seed", *wrong)
