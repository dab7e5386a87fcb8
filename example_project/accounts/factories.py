"""Customers for tests, valid as they are."""

import factory
from django.contrib.auth.models import User
from factory.django import DjangoModelFactory

from example_project.accounts.models import Address, Customer


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user{n}")


class CustomerFactory(DjangoModelFactory[Customer]):
    class Meta:
        model = Customer

    number = factory.Sequence(lambda n: f"C-{n:05}")
    name = factory.Sequence(lambda n: f"Customer {n}")
    email = factory.LazyAttribute(lambda customer: f"{customer.number.lower()}@example.com")


class AddressFactory(DjangoModelFactory[Address]):
    class Meta:
        model = Address

    customer = factory.SubFactory(CustomerFactory)
    street = "Keizersgracht 1"
    city = "Amsterdam"
    postcode = "1015 AA"
    country_code = "NL"
