"""Models of every shape that a reader may meet."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import CompositePrimaryKey

from cache_consistency import CachedManager, CachedManagerMixin

Manager = models.Manager[Any]


class Kind(models.TextChoices):
    TOOL = "t", "tool"
    TOY = "y", "toy"


class Maker(models.Model):
    name = models.CharField(max_length=40)
    code = models.CharField(max_length=10, unique=True)

    objects: ClassVar[Manager] = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ["name"]
        cache_policy = {"ttl": "1h"}


class Tag(models.Model):
    word = models.CharField(max_length=40, unique=True)

    objects: ClassVar[Manager] = models.Manager()
    cached = CachedManager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class LoudQuerySet(models.QuerySet[Any]):
    """Methods of a project's own."""

    def cheap(self) -> Self:
        return self.filter(price__lt=10)

    def names(self) -> list[str]:
        return [name.upper() for name in self.values_list("name", flat=True)]


class LivingManager(models.Manager[Any]):
    """Leaves rows out, as soft deletion does."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(alive=True)


class LivingCached(CachedManagerMixin, LivingManager):
    pass


class OwnFilterCached(CachedManagerMixin, models.Manager[Any]):
    def get_queryset(self) -> Any:
        return super().get_queryset().filter(alive=True)


class GreetingManager(models.Manager[Any]):
    """A ``get`` of its own, which a manager that reads through the cache must not hide."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        found = super().get(*args, **kwargs)
        found.greeted = True
        return found


class GreetingCached(CachedManagerMixin, GreetingManager):
    pass


class NarrowQuerySet(models.QuerySet[Any]):
    """Its ``filter`` adds a condition, so its ``get`` finds fewer rows."""

    def filter(self, *args: Any, **kwargs: Any) -> Self:
        return super().filter(*args, **kwargs, alive=True)


class LoudCached(CachedManagerMixin, models.Manager.from_queryset(LoudQuerySet)):  # type: ignore[misc]
    pass


class NarrowCached(CachedManagerMixin, models.Manager.from_queryset(NarrowQuerySet)):  # type: ignore[misc]
    pass


class Thing(models.Model):
    name = models.CharField(max_length=40)
    slug = models.SlugField(max_length=40, unique=True)
    serial = models.IntegerField(unique=True, null=True)
    maker = models.ForeignKey(Maker, on_delete=models.CASCADE, null=True, related_name="things")
    by_code = models.ForeignKey(Maker, on_delete=models.SET_NULL, null=True, to_field="code", related_name="coded")
    tags: models.ManyToManyField[Tag, Any] = models.ManyToManyField(Tag, related_name="things")
    kind = models.CharField(max_length=1, choices=Kind.choices, default=Kind.TOOL)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    stock = models.IntegerField(default=0)
    made = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    data = models.JSONField(default=dict)
    blob = models.BinaryField(default=b"")
    alive = models.BooleanField(default=True)
    big = models.TextField(default="")

    objects: ClassVar[Manager] = models.Manager()
    cached = CachedManager()
    living = LivingCached()
    own_filter = OwnFilterCached()
    greeting = GreetingCached()
    loud = LoudCached()
    narrow = NarrowCached()

    class Meta:
        ordering = ["name", "pk"]
        cache_policy = {"ttl": "1h", "lookups": ["maker", "by_code", "kind"]}


class ThingProxy(Thing):
    class Meta:
        proxy = True


class Special(Thing):
    extra = models.CharField(max_length=40, unique=True)

    objects: ClassVar[Manager] = models.Manager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Base(models.Model):
    text = models.CharField(max_length=40)

    objects: ClassVar[Manager] = models.Manager()
    cached = CachedManager()

    class Meta:
        abstract = True
        cache_policy = {"ttl": "1h"}


class Note(Base):
    class Meta(Base.Meta):
        pass


class Passport(models.Model):
    """A primary key that is a relation."""

    maker = models.OneToOneField(Maker, on_delete=models.CASCADE, primary_key=True)
    number = models.CharField(max_length=10)

    cached = CachedManager()
    objects: ClassVar[Manager] = models.Manager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Spot(models.Model):
    pk = CompositePrimaryKey("row", "number")
    row = models.CharField(max_length=5)
    number = models.IntegerField()
    guest = models.CharField(max_length=40, default="")

    cached = CachedManager()
    objects: ClassVar[Manager] = models.Manager()

    class Meta:
        cache_policy = {"ttl": "1h", "lookups": ["row"]}


class Rate(models.Model):
    amount = models.DecimalField(max_digits=8, decimal_places=2, primary_key=True)
    text = models.CharField(max_length=40)

    cached = CachedManager()
    objects: ClassVar[Manager] = models.Manager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Code:
    """What `CodeField` makes of a text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and self.text == other.text

    def __hash__(self) -> int:
        return hash(("code", self.text))


class CodeField(models.CharField):  # type: ignore[type-arg]
    def from_db_value(self, value: str | None, expression: object, connection: object) -> Code | None:
        return None if value is None else Code(value)

    def to_python(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Code) else Code(str(value))

    def get_prep_value(self, value: Any) -> Any:
        return value.text if isinstance(value, Code) else value


class Coded(models.Model):
    """A primary key that is something else in Python than in the database."""

    code = CodeField(max_length=10, primary_key=True)
    text = models.CharField(max_length=40)

    cached = CachedManager()
    objects: ClassVar[Manager] = models.Manager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Stranger(models.Model):
    """Nobody watches its writes."""

    thing = models.ForeignKey(Thing, on_delete=models.CASCADE, related_name="strangers")
    text = models.CharField(max_length=40)

    cached = CachedManager()
    objects: ClassVar[Manager] = models.Manager()


class OnlyCached(models.Model):
    """Its only manager reads through the cache; Django gives it `objects` all the same."""

    text = models.CharField(max_length=40)

    cached = CachedManager()

    class Meta:
        cache_policy = {"ttl": "1h"}


class Person(models.Model):
    """Related to itself: one-way and mutually."""

    name = models.CharField(max_length=40)
    follows: models.ManyToManyField[Person, Any] = models.ManyToManyField("self", symmetrical=False, related_name="followers")
    friends: models.ManyToManyField[Person, Any] = models.ManyToManyField("self")

    class Meta:
        cache_policy = {"ttl": "1h"}
