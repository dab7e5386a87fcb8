"""Orders for tests; one that takes stock is placed by `services.place_order`."""

import factory
from factory.django import DjangoModelFactory

from example_project.accounts.factories import CustomerFactory
from example_project.catalog.factories import ProductFactory
from example_project.orders.models import Order, OrderLine


class OrderFactory(DjangoModelFactory[Order]):
    class Meta:
        model = Order

    number = factory.Sequence(lambda n: f"O-{n:05}")
    customer = factory.SubFactory(CustomerFactory)


class OrderLineFactory(DjangoModelFactory[OrderLine]):
    class Meta:
        model = OrderLine

    order = factory.SubFactory(OrderFactory)
    product = factory.SubFactory(ProductFactory)
    name = factory.LazyAttribute(lambda line: line.product.name)
    quantity = 1
    price = factory.LazyAttribute(lambda line: line.product.price)
