"""Where a tag may name a value, and that both sides name it alike."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections, models

from cache_consistency.capture.equality import field_text, is_exact, joined_text
from cache_consistency.protocol.tags import InexactValue, value_text
from tests.capture.models import Document, Item, Part, Seat, Shop


def field(model: Any, name: str) -> Any:
    return model._meta.get_field(name)


class Folded(models.CharField):  # type: ignore[type-arg]
    def db_type(self, connection: Any) -> str:
        return "citext"


class Encrypted(models.CharField):  # type: ignore[type-arg]
    def get_placeholder_sql(self, value: Any, compiler: Any, connection: Any) -> tuple[str, tuple[Any]]:
        return "encrypt(%s)", (value,)


@Folded.register_lookup
class FoldedExact(models.Lookup):
    lookup_name = "exact"


@pytest.mark.parametrize(("column", "exact"), [
    (models.IntegerField(), True), (models.BigAutoField(primary_key=True), True), (models.BooleanField(), True),
    (models.UUIDField(), True), (models.DateField(), True), (models.DecimalField(max_digits=8, decimal_places=2), True),
    (models.CharField(max_length=9), True), (models.TextField(), True), (models.SlugField(), True), (models.EmailField(), True),
    (models.FloatField(), False), (models.DateTimeField(), False), (models.JSONField(), False), (models.DurationField(), False),
    (models.BinaryField(), False), (Folded(max_length=9), False), (Encrypted(max_length=9), False),
    (models.CharField(max_length=9, db_collation="case_insensitive"), False),
    (models.CharField(max_length=9, db_collation="NOCASE"), False), (models.CharField(max_length=9, db_collation="RTRIM"), False),
])
def test_exact_columns(connection: Any, column: Any, exact: bool) -> None:
    assert is_exact(connection, column) is exact


def test_collations_by_database(connection: Any) -> None:
    sqlite = connection.vendor == "sqlite"
    assert is_exact(connection, models.CharField(max_length=9, db_collation="BINARY")) is sqlite
    assert is_exact(connection, models.CharField(max_length=9, db_collation="und-x-icu")) is not sqlite
    assert is_exact(connection, models.CharField(max_length=9, db_collation="C")) is not sqlite


def test_long_decimals_are_not_exact_on_sqlite(connection: Any) -> None:
    assert is_exact(connection, models.DecimalField(max_digits=16, decimal_places=2)) is (connection.vendor != "sqlite")


def test_text_is_never_exact_on_mysql(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connections.create_connection("default")
    monkeypatch.setattr(connection, "vendor", "mysql")
    assert not is_exact(connection, models.CharField(max_length=9))
    assert is_exact(connection, models.IntegerField())


def test_relations_compare_as_their_target(connection: Any) -> None:
    assert field_text(connection, field(Item, "category"), 3) == "3"
    assert field_text(connection, field(Part, "item"), None) == "null"
    assert field_text(connection, Shop._meta.pk, 3) == "3"


def test_both_forms_of_a_value_have_one_text(connection: Any) -> None:
    key, day, amount = (field(Document, name) for name in ("id", "day", "amount"))
    value = uuid.uuid4()
    assert field_text(connection, key, value) == field_text(connection, key, value.hex) == value_text(value)
    assert field_text(connection, day, datetime.date(2024, 2, 29)) == field_text(connection, day, "2024-02-29")
    assert {field_text(connection, amount, form) for form in (Decimal("1.10"), Decimal("1.1"), 1.1, "1.1")} == {value_text(Decimal("1.1"))}
    assert field_text(connection, amount, 0) == field_text(connection, amount, Decimal("-0.00"))


@pytest.mark.parametrize(("name", "value"), [
    ("id", "not a uuid"), ("day", datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC)), ("day", "tomorrow"), ("amount", "much"),
    ("amount", Decimal("NaN")), ("amount", True),
])
def test_values_that_no_column_can_hold_have_none(connection: Any, name: str, value: object) -> None:
    with pytest.raises(InexactValue):
        field_text(connection, field(Document, name), value)


def test_a_composite_key_is_one_text(connection: Any) -> None:
    texts = [field_text(connection, column, value) for column, value in zip(Seat._meta.pk_fields, ("a", 1), strict=True)]
    assert joined_text(texts) == value_text(("a", 1))
