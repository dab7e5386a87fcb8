"""
What the shop does with its catalog. Views, admin actions and the demonstration's traffic all go through these functions.

A function that writes under a transaction of its own returns the rows as it left them, their ``version`` included.
"""

from collections.abc import Collection, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.text import slugify

from example_project.accounts.models import Customer
from example_project.catalog import legacy_cache
from example_project.catalog.models import Category, Label, PriceList, Product, Review
from example_project.reads import once_cached_by, source
from example_project.versioning import counted

PAGE_SIZE = legacy_cache.PAGE_SIZE


# reading


@once_cached_by(legacy_cache.get_product)
def get_product(sku: str) -> Product:
    """:raises Product.DoesNotExist: no such SKU."""
    return source(Product).get(sku=sku)


@once_cached_by(legacy_cache.find_product)
def find_product(sku: str) -> Product | None:
    """Return the product, or None where an absent one is an ordinary answer."""
    try:
        return source(Product).get(sku=sku)
    except Product.DoesNotExist:
        return None


@once_cached_by(legacy_cache.list_category)
def list_category(category: Category, page: int = 1) -> list[Product]:
    """Return one page of what the category sells now; an empty list past the last page."""
    first = (page - 1) * PAGE_SIZE
    return list(source(Product).filter(category=category.pk, active=True).order_by("pk")[first : first + PAGE_SIZE])


@once_cached_by(legacy_cache.categories)
def categories() -> list[Category]:
    return list(source(Category).order_by("position", "pk"))


@once_cached_by(legacy_cache.labels_of)
def labels_of(product: Product) -> list[Label]:
    return list(source(Label).filter(products=product.pk).order_by("name"))


@once_cached_by(legacy_cache.reviews_of)
def reviews_of(product: Product) -> list[Review]:
    """Return the newest twenty."""
    return list(source(Review).filter(product=product.pk).order_by("-pk")[:20])


def get_category(slug: str) -> Category:
    """:raises Category.DoesNotExist: no such slug."""
    return source(Category).get(slug=slug)


def count_products(category: Category) -> int:
    return source(Product).filter(category=category.pk, active=True).count()


def discount(product: Product) -> int:
    """Return the best percentage off that applies to ``product`` now, 0 to 90."""
    lists = source(PriceList).filter(active=True)
    return max((found.percent for found in lists if found.category_id in (None, product.category_id)), default=0)


def final_price(product: Product) -> Decimal:
    return (product.price * (100 - discount(product)) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)


# writing


def _locked(sku: str) -> Product:
    return Product.objects.select_for_update().get(sku=sku)


@transaction.atomic
def update_price(sku: str, price: Decimal) -> Product:
    product = _locked(sku)
    product.price = price
    product.save(update_fields=["price"])
    return product


@transaction.atomic
def rename_product(sku: str, name: str) -> Product:
    """Change the name and with it the slug, by a save of the whole row."""
    product = _locked(sku)
    product.name = name
    product.slug = f"{slugify(name)}-{slugify(sku)}"
    product.save()
    return product


@transaction.atomic
def move_product(sku: str, category: Category) -> Product:
    product = _locked(sku)
    product.category = category
    product.save(update_fields=["category"])
    return product


def restock(sku: str, amount: int) -> int:
    """Add to the stock by one ``UPDATE`` outside any transaction; return how many products there were, 0 or 1."""
    return Product.objects.filter(sku=sku).update(**counted(stock=F("stock") + amount))


@transaction.atomic
def reprice(skus: Collection[str], percent: int) -> list[Product]:
    """Raise (or lower) many prices by one ``UPDATE``; return the products that exist, as it left them."""
    pks = list(Product.objects.select_for_update().filter(sku__in=skus).order_by("pk").values_list("pk", flat=True))
    Product.objects.filter(pk__in=pks).update(**counted(price=F("price") * (Decimal(100 + percent) / 100)))
    return list(Product.objects.filter(pk__in=pks).order_by("pk"))


@transaction.atomic
def correct_stocks(stocks: Mapping[str, int]) -> list[Product]:
    """Set what a stocktaking found, by ``bulk_update``; return the products that exist."""
    products = list(Product.objects.select_for_update().filter(sku__in=stocks).order_by("pk"))
    for product in products:
        product.stock = stocks[product.sku]
        product.version = F("version") + 1
    Product.objects.bulk_update(products, ["stock", "version"])
    return list(Product.objects.filter(pk__in=[product.pk for product in products]).order_by("pk"))


def create_product(*, sku: str, name: str, price: Decimal, category: Category, version: int = 1, **values: Any) -> Product:
    """
    Add a product.

    :param version: where it begins to count; a SKU that comes back goes on counting where it left off.
    """
    return Product.objects.create(
        sku=sku, slug=f"{slugify(name)}-{slugify(sku)}", name=name, price=price, category=category, version=version, **values
    )


def retire_product(sku: str) -> bool:
    """Delete a product with its reviews; orders keep their lines. Return whether it was there."""
    deleted, _ = Product.objects.filter(sku=sku).delete()
    return deleted > 0


def put_label(product: Product, label: Label) -> None:
    product.labels.add(label)


def take_label(product: Product, label: Label) -> None:
    product.labels.remove(label)


def add_review(product: Product, customer: Customer, *, rating: int, text: str = "") -> Review:
    return Review.objects.create(product=product, customer=customer, rating=rating, text=text)


@transaction.atomic
def rename_category(pk: int, name: str) -> Category:
    category = Category.objects.select_for_update().get(pk=pk)
    category.name = name
    category.slug = f"{slugify(name)}-{pk}"
    category.save()
    return category
