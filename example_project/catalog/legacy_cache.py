# mypy: disable-error-code="no-any-return"
# Left in the style it was written in.
"""
The catalog's caching as it was before: kept, with its bugs, to be compared and to be audited. It runs only under ``CACHE=naive``.

What is wrong with it, so that nobody copies it: ``get``, load, ``set`` lets a slow reader put an old row back after the writer deleted
the key; the receivers delete before the transaction has committed; ``QuerySet.update()`` and ``bulk_update()`` send no signal; the key of
a list holds a slug that may change; only the first page is ever deleted; a product that is missing is asked for again each time; and
without a timeout what went wrong once stays.
"""

from typing import Any

from django.core.cache import cache
from django.db.models import signals

from example_project.catalog.models import Category, Label, Product, Review

PAGE_SIZE = 20


def get_product(sku: str) -> Product:
    product = cache.get(f"catalog:prod:{sku}:v1") or Product.objects.get(sku=sku)
    cache.set(f"catalog:prod:{sku}:v1", product, None)
    return product


def find_product(sku: str) -> Product | None:
    product = cache.get(f"catalog:prod:{sku}:v1")
    if product is None:
        product = Product.objects.filter(sku=sku).first()
        cache.set(f"catalog:prod:{sku}:v1", product, None)
    return product


def list_category(category: Category, page: int = 1) -> list[Product]:
    key = f"catalog:list:{category.slug}:{page}:v1"
    products = cache.get(key)
    if not products:
        first = (page - 1) * PAGE_SIZE
        products = list(Product.objects.filter(category=category, active=True).order_by("pk")[first : first + PAGE_SIZE])
        cache.set(key, products, 600)
    return products


def categories() -> list[Category]:
    found = cache.get("catalog:categories:v1")
    if found is None:
        found = list(Category.objects.order_by("position", "pk"))
        cache.set("catalog:categories:v1", found, None)
    return found


def labels_of(product: Product) -> list[Label]:
    key = f"catalog:labels:{product.sku}:v1"
    found = cache.get(key)
    if found is None:
        found = list(Label.objects.filter(products=product).order_by("name"))
        cache.set(key, found, 600)
    return found


def reviews_of(product: Product) -> list[Review]:
    key = f"catalog:reviews:{product.slug}"
    found = cache.get(key)
    if found is None:
        found = list(Review.objects.filter(product=product).order_by("-pk")[:20])
        cache.set(key, found, 600)
    return found


def forget_product(instance: Product, **kwargs: Any) -> None:
    cache.delete(f"catalog:prod:{instance.sku}:v1")
    cache.delete(f"catalog:list:{instance.category.slug}:1:v1")


def forget_category(instance: Category, **kwargs: Any) -> None:
    cache.delete("catalog:categories:v1")
    cache.delete(f"catalog:list:{instance.slug}:1:v1")


def connect() -> None:
    signals.post_save.connect(forget_product, sender=Product)
    signals.post_delete.connect(forget_product, sender=Product)
    signals.post_save.connect(forget_category, sender=Category)


def disconnect() -> None:
    signals.post_save.disconnect(forget_product, sender=Product)
    signals.post_delete.disconnect(forget_product, sender=Product)
    signals.post_save.disconnect(forget_category, sender=Category)
