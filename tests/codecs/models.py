"""
Models with every kind of column. They belong to no installed app: the tests make their tables themselves (`conftest`).

Those in `POSTGRES_ONLY` need types that only PostgreSQL has; importing this module needs psycopg.
"""

import decimal
import json
import uuid
from typing import Any

from django.contrib.postgres.fields import (
    ArrayField,
    BigIntegerRangeField,
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    HStoreField,
    IntegerRangeField,
)
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F

LABEL = "codecs_tests"


class Scalars(models.Model):
    char = models.CharField(max_length=100, default="")
    text = models.TextField(null=True)
    slug = models.SlugField(default="a-b")
    email = models.EmailField(default="a@example.org")
    url = models.URLField(default="https://example.org/")
    integer = models.IntegerField(default=0)
    small = models.SmallIntegerField(default=0)
    big = models.BigIntegerField(default=0)
    positive = models.PositiveIntegerField(default=0)
    positive_small = models.PositiveSmallIntegerField(default=0)
    positive_big = models.PositiveBigIntegerField(default=0)
    boolean = models.BooleanField(default=False)
    boolean_or_none = models.BooleanField(null=True)
    real = models.FloatField(default=0.0, null=True)
    money = models.DecimalField(max_digits=20, decimal_places=4, default=decimal.Decimal(0))
    binary = models.BinaryField(default=b"")
    token = models.UUIDField(default=uuid.uuid4)
    address = models.GenericIPAddressField(null=True)
    file_path = models.FilePathField(default="/nowhere", path="/")

    class Meta:
        app_label = LABEL


class Moments(models.Model):
    date = models.DateField(null=True)
    moment = models.DateTimeField(null=True)
    time = models.TimeField(null=True)
    duration = models.DurationField(null=True)

    class Meta:
        app_label = LABEL


class Decoder(json.JSONDecoder):
    """Every object becomes a pair, so that it shows whether this decoder ran."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, object_hook=lambda value: ("decoded", value))


class Documents(models.Model):
    plain = models.JSONField(null=True)
    special = models.JSONField(default=dict, encoder=DjangoJSONEncoder, decoder=Decoder)

    class Meta:
        app_label = LABEL


class Generated(models.Model):
    side = models.IntegerField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    area = models.GeneratedField(expression=F("side") * F("side"), output_field=models.BigIntegerField(), db_persist=True)
    twice = models.GeneratedField(
        expression=F("price") + F("price"),
        output_field=models.DecimalField(max_digits=8, decimal_places=2),
        db_persist=True,
    )

    class Meta:
        app_label = LABEL


class Files(models.Model):
    file = models.FileField(upload_to="files", null=True)

    class Meta:
        app_label = LABEL


class Pictures(models.Model):
    """Dimension fields make Django listen to ``post_init`` of this model."""

    picture = models.ImageField(upload_to="pictures", width_field="width", height_field="height")
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)

    class Meta:
        app_label = LABEL


class Owner(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        app_label = LABEL


class Pet(models.Model):
    owner = models.ForeignKey(Owner, on_delete=models.CASCADE, null=True)
    friend = models.OneToOneField("self", on_delete=models.CASCADE, null=True)

    class Meta:
        app_label = LABEL


class Dog(Pet):
    """Multi-table inheritance: rows of two tables."""

    breed = models.CharField(max_length=20)

    class Meta:
        app_label = LABEL


class LoudDog(Dog):
    class Meta:
        app_label = LABEL
        proxy = True


class Seat(models.Model):
    pk = models.CompositePrimaryKey("row", "number")
    row = models.IntegerField()
    number = models.CharField(max_length=3)
    taken = models.BooleanField(default=False)

    class Meta:
        app_label = LABEL


class Words(list[str]):
    """A mutable value of a custom field."""


class WordsField(models.TextField):  # type: ignore[type-arg]
    def from_db_value(self, value: str | None, expression: object, connection: Any) -> Words | None:
        assert connection.vendor in {"sqlite", "postgresql"}
        return None if value is None else Words(value.split())

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else " ".join(value)


class ShoutedField(models.CharField):  # type: ignore[type-arg]
    """Custom, but all that reading needs is Django's."""

    def get_prep_value(self, value: Any) -> Any:
        return value.upper()


class PaddedMoment(models.DateTimeField):  # type: ignore[type-arg]
    def from_db_value(self, value: Any, expression: object, connection: object) -> Any:
        return ("padded", value)

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(value[1] if isinstance(value, tuple) else value)


class Trimmed:
    """A data descriptor that changes what it is given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance: Any, value: str) -> None:
        instance.__dict__[self.name] = value.strip()


class TrimmedField(models.CharField):  # type: ignore[type-arg]
    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, name, Trimmed(name))


class Custom(models.Model):
    words = WordsField(null=True)
    shouted = ShoutedField(max_length=20)
    padded = PaddedMoment(null=True)

    class Meta:
        app_label = LABEL


class WordsKey(models.Model):
    words = WordsField(primary_key=True)

    class Meta:
        app_label = LABEL


class WordsLink(models.Model):
    """The custom field is the target of a foreign key, whose values it converts."""

    target = models.ForeignKey(WordsKey, on_delete=models.CASCADE, db_constraint=False)

    class Meta:
        app_label = LABEL


class Described(models.Model):
    name = TrimmedField(max_length=20)

    class Meta:
        app_label = LABEL


class OwnInit(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = LABEL

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen_by_init = self.name


class Remembering:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.remembered = True
        super().__init__(*args, **kwargs)


class MixinBehind(models.Model, Remembering):
    """``Model.__init__`` calls ``super().__init__()``, so a mixin behind it has its say."""

    name = models.CharField(max_length=20)

    class Meta:
        app_label = LABEL


class OwnFromDb(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = LABEL

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Any:
        instance: Any = super().from_db(db, field_names, values, **kwargs)
        instance.loaded_values = dict(zip(field_names, values, strict=True))
        return instance


class Arrays(models.Model):
    numbers = ArrayField(models.IntegerField(null=True), null=True)
    texts = ArrayField(models.CharField(max_length=20), default=list)
    matrix = ArrayField(ArrayField(models.BigIntegerField()), default=list)
    prices = ArrayField(models.DecimalField(max_digits=8, decimal_places=2), default=list)
    tokens = ArrayField(models.UUIDField(), default=list)
    days = ArrayField(models.DateField(), default=list)
    moments = ArrayField(models.DateTimeField(), default=list)
    flags = ArrayField(models.BooleanField(), default=list)
    addresses = ArrayField(models.GenericIPAddressField(), default=list)
    words = ArrayField(WordsField(), default=list)

    class Meta:
        app_label = LABEL
        required_db_vendor = "postgresql"


class Ranges(models.Model):
    integers = IntegerRangeField(null=True)
    bigs = BigIntegerRangeField(null=True)
    decimals = DecimalRangeField(null=True)
    dates = DateRangeField(null=True)
    moments = DateTimeRangeField(null=True)

    class Meta:
        app_label = LABEL
        required_db_vendor = "postgresql"


class MultirangeField(models.Field):  # type: ignore[type-arg]
    def db_type(self, connection: object) -> str:
        return "int4multirange"


class CitextField(models.TextField):  # type: ignore[type-arg]
    def db_type(self, connection: object) -> str:
        return "citext"


class Oddities(models.Model):
    attributes = HStoreField(null=True)
    ranges = MultirangeField(null=True)
    name = CitextField(null=True)
    collated = models.CharField(max_length=20, db_collation="C", default="")

    class Meta:
        app_label = LABEL
        required_db_vendor = "postgresql"


EVERYWHERE: list[type[models.Model]] = [
    Scalars, Moments, Documents, Generated, Files, Pictures, Owner, Pet, Dog, Seat, Custom, WordsKey, WordsLink, Described, OwnInit,
    MixinBehind, OwnFromDb,
]  # fmt: skip
POSTGRES_ONLY: list[type[models.Model]] = [Arrays, Ranges, Oddities]
