"""Books that are read through the cache and written in every way that the ORM knows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from cache_consistency import CachedManager


class Author(models.Model):
    name = models.CharField(max_length=60, unique=True)
    rank = models.IntegerField(default=0)

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Topic(models.Model):
    name = models.CharField(max_length=60)

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Book(models.Model):
    """``version`` is what writers count up, so that a checker can tell older from newer."""

    isbn = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=60, default="")
    version = models.IntegerField(default=1)
    mark = models.CharField(max_length=20, default="A")
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, null=True, related_name="books")
    editor = models.ForeignKey(Author, on_delete=models.SET_NULL, null=True, related_name="edited")
    topics: models.ManyToManyField[Topic, Any] = models.ManyToManyField(Topic, related_name="books")

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        cache_policy = {"ttl": "1h", "lookups": ["author", "mark"]}


class Atlas(Book):
    """Multi-table: a row of it is a row of two tables."""

    scale = models.IntegerField(default=1)

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Novel(Book):
    """A proxy: another class on the same table."""

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        proxy = True


class Loan(models.Model):
    """A moment, so that the time zone of the reader matters."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="loans")
    at = models.DateTimeField()

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        cache_policy = {"ttl": "1h", "lookups": ["book"]}


class Plain(models.Model):
    """A book nobody caches."""

    isbn = models.CharField(max_length=20, unique=True)
    version = models.IntegerField(default=1)

    objects: ClassVar[models.Manager[Any]] = models.Manager()


class Measured(models.Model):
    """What the bench reads and writes: two models that differ in what is declared, and nothing else."""

    isbn = models.CharField(max_length=20)
    title = models.CharField(max_length=60, default="")
    version = models.IntegerField(default=1)
    mark = models.CharField(max_length=20, default="A", db_index=True)
    shelf = models.IntegerField(default=0, db_index=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)

    objects: ClassVar[models.Manager[Any]] = models.Manager()
    cached = CachedManager()

    class Meta:
        abstract = True


class MeasuredByKey(Measured):
    class Meta:
        cache_policy = {"ttl": "1h"}


class MeasuredByLookups(Measured):
    class Meta:
        cache_policy = {"ttl": "1h", "lookups": ["mark", "shelf"]}
