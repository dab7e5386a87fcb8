"""Catalog rows for tests, valid as they are."""

from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from example_project.catalog.models import Category, Country, Label, PriceList, Product, Review, Supplier


class CountryFactory(DjangoModelFactory[Country]):
    class Meta:
        model = Country
        django_get_or_create = ("code",)

    code = "NL"
    name = "Netherlands"


class CategoryFactory(DjangoModelFactory[Category]):
    class Meta:
        model = Category

    name = factory.Sequence(lambda n: f"Category {n}")
    slug = factory.Sequence(lambda n: f"category-{n}")
    position = factory.Sequence(int)


class SupplierFactory(DjangoModelFactory[Supplier]):
    class Meta:
        model = Supplier

    name = factory.Sequence(lambda n: f"Supplier {n}")
    country = factory.SubFactory(CountryFactory)


class LabelFactory(DjangoModelFactory[Label]):
    class Meta:
        model = Label

    name = factory.Sequence(lambda n: f"label {n}")


class ProductFactory(DjangoModelFactory[Product]):
    class Meta:
        model = Product

    sku = factory.Sequence(lambda n: f"A-{n:05}")
    slug = factory.LazyAttribute(lambda product: f"product-{product.sku.lower()}")
    name = factory.Sequence(lambda n: f"Product {n}")
    price = Decimal("10.00")
    stock = 100
    category = factory.SubFactory(CategoryFactory)
    supplier = factory.SubFactory(SupplierFactory)


class ReviewFactory(DjangoModelFactory[Review]):
    class Meta:
        model = Review

    product = factory.SubFactory(ProductFactory)
    customer = factory.SubFactory("example_project.accounts.factories.CustomerFactory")
    rating = 4


class PriceListFactory(DjangoModelFactory[PriceList]):
    class Meta:
        model = PriceList

    name = factory.Sequence(lambda n: f"Sale {n}")
    percent = 20
    active = True
