"""One model for each shape of table that capture has to tell apart."""

import uuid

from django.db import models
from django.db.models import CompositePrimaryKey

POLICY = {"ttl": "10m"}


class Category(models.Model):
    """Rows have no lookup but their pk: a write by pk needs no RETURNING."""

    title = models.CharField(max_length=40)

    class Meta:
        cache_policy = POLICY


class Label(models.Model):
    title = models.CharField(max_length=40)


class Item(models.Model):
    """A unique field and a declared lookup."""

    sku = models.CharField(max_length=40, unique=True)
    category = models.ForeignKey(Category, on_delete=models.CASCADE)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    stock = models.IntegerField(default=0)
    labels = models.ManyToManyField(Label)

    class Meta:
        cache_policy = {"ttl": "10m", "lookups": ["category"]}


class ItemProxy(Item):
    class Meta:
        proxy = True


class Part(models.Model):
    """Deleted by Python's cascade."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE)
    name = models.CharField(max_length=40)

    class Meta:
        cache_policy = {"ttl": "10m", "lookups": ["item"]}


class Remark(models.Model):
    """Survives its item."""

    item = models.ForeignKey(Item, on_delete=models.SET_NULL, null=True)
    fallback = models.ForeignKey(Label, on_delete=models.SET_DEFAULT, null=True, default=None)

    class Meta:
        cache_policy = {"ttl": "10m", "lookups": ["item", "fallback"]}


class Place(models.Model):
    """The parent's table of multi-table inheritance."""

    code = models.CharField(max_length=10, unique=True)


class Shop(Place):
    size = models.IntegerField(default=0)

    class Meta:
        cache_policy = POLICY


class Seat(models.Model):
    """A primary key of two columns."""

    pk = CompositePrimaryKey("row", "number")
    row = models.CharField(max_length=5)
    number = models.IntegerField()
    guest = models.CharField(max_length=40, default="")

    class Meta:
        cache_policy = POLICY


class Document(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    day = models.DateField(null=True, unique=True)
    amount = models.DecimalField(max_digits=8, decimal_places=2, null=True, unique=True)

    class Meta:
        cache_policy = POLICY


class Measure(models.Model):
    """A primary key without exact equality: its rows cannot be named."""

    at = models.FloatField(primary_key=True)
    value = models.IntegerField(default=0)

    class Meta:
        cache_policy = POLICY


class Deferred(models.Model):
    """A constraint that is checked at COMMIT."""

    other = models.ForeignKey("self", on_delete=models.DO_NOTHING, null=True)

    class Meta:
        cache_policy = POLICY


class Log(models.Model):
    """Nobody caches it: its writes must be as if we were not there."""

    text = models.CharField(max_length=200)


if hasattr(models, "DB_CASCADE"):                                     # Django 6.1

    class Owner(models.Model):
        name = models.CharField(max_length=40)

        class Meta:
            cache_policy = POLICY

    class Belonging(models.Model):
        owner = models.ForeignKey(Owner, on_delete=models.DB_CASCADE)

        class Meta:
            cache_policy = {"ttl": "10m", "lookups": ["owner"]}
