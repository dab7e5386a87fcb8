from typing import ClassVar

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models

from cache_consistency.declare.policy import CachePolicy


class Country(models.Model):
    name = models.CharField(max_length=40)


class Supplier(models.Model):
    country = models.ForeignKey(Country, models.CASCADE)


class Category(models.Model):
    slug = models.SlugField(unique=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")


class Label(models.Model):
    text = models.CharField(max_length=40)


class Window(models.Model):
    name = models.CharField(max_length=40)


class Product(models.Model):
    sku = models.CharField(max_length=40, unique=True)
    barcode = models.CharField(max_length=40)
    batch = models.CharField(max_length=40)
    name = models.CharField(max_length=40)
    weight = models.FloatField(default=0.0)
    category = models.ForeignKey(Category, models.CASCADE)
    supplier = models.ForeignKey(Supplier, models.CASCADE)
    labels = models.ManyToManyField(Label)
    windows = models.ManyToManyField(Window, through="Placement", related_name="shown")
    opinions = GenericRelation("Review")

    class Meta:
        cache_policy: ClassVar = {"ttl": "10m", "lookups": ["category"]}
        cache_dependencies: ClassVar = ["category", "supplier.country", "reviews", "declare_tests.PriceList"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["barcode"], name="one_barcode"),
            models.UniqueConstraint(fields=["batch"], name="one_batch", condition=models.Q(weight__gt=0)),
        ]


class Placement(models.Model):
    product = models.ForeignKey(Product, models.CASCADE)
    window = models.ForeignKey(Window, models.CASCADE)


class FancyProduct(Product):
    class Meta:
        proxy = True


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="reviews")
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    subject = GenericForeignKey()


class PriceList(models.Model):
    name = models.CharField(max_length=40)


class Item(models.Model):
    code = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=40)
    shelf = models.CharField(max_length=40)


class Book(Item):
    isbn = models.CharField(max_length=13)


class Comic(Book):
    issue = models.IntegerField()

    class Meta:
        cache_policy = CachePolicy(ttl=60, lookups=["title", "isbn", "issue"])


class Line(models.Model):
    pk = models.CompositePrimaryKey("order", "number")
    order = models.IntegerField()
    number = models.IntegerField()

    class Meta:
        cache_policy: ClassVar = {"lookups": ["number"]}


class Cacheable(models.Model):
    name = models.CharField(max_length=40)

    class Meta:
        abstract = True
        cache_policy: ClassVar = {"ttl": "1h"}


class Inherits(Cacheable):
    pass


class InheritsExplicitly(Cacheable):
    class Meta(Cacheable.Meta):
        verbose_name = "another"


class Drops(Cacheable):
    class Meta:
        verbose_name = "dropped"


class Declines(Cacheable):
    class Meta:
        cache_policy = None


class View(models.Model):
    class Meta:
        managed = False
        db_table = "some_view"
