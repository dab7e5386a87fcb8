"""Values told apart by text."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import itertools
import uuid
import zoneinfo
from typing import Any

import pytest
from django.db.models import IntegerChoices, TextChoices
from django.utils.safestring import mark_safe

from cache_consistency.reading.literals import literal

UTC = datetime.UTC
PARIS = zoneinfo.ZoneInfo("Europe/Paris")


class Colour(TextChoices):
    RED = "r"


class Number(IntegerChoices):
    ONE = 1


class Liar(str):
    """A text whose own words say less than it holds."""

    def __str__(self) -> str:
        return "same"

    __repr__ = __str__


DISTINCT: list[Any] = [
    1, True, 1.0, "1", b"1", decimal.Decimal(1), decimal.Decimal("1.0"), None, "None", 0, False, "", b"", -0.0, 0.0, float("nan"), "é",
    "\\xe9", "\udc80", uuid.UUID(int=1), str(uuid.UUID(int=1)), datetime.date(2024, 1, 1), datetime.datetime.fromisoformat("2024-01-01"),
    datetime.datetime(2024, 1, 1, tzinfo=UTC), datetime.datetime(2024, 1, 1, tzinfo=PARIS), datetime.time(1), datetime.time(1, tzinfo=UTC),
    datetime.timedelta(1), datetime.timedelta(seconds=1), [1], (1,), [1, 1], [[1], 1], [[1, 1]], [], {}, {"a": 1}, {"a": "1"}, {"a": None},
    Colour.RED, Number.ONE, "r", mark_safe("r"), Liar("a"), Liar("b"),
    ipaddress.ip_address("1.2.3.4"), "1.2.3.4", ["1", "2"], ["1,str:'2'"],
]  # fmt: skip


def test_different_values_have_different_texts() -> None:
    for one, other in itertools.combinations(DISTINCT, 2):
        assert literal(one) != literal(other), (one, other)


@pytest.mark.parametrize("value", DISTINCT, ids=lambda value: type(value).__name__)
def test_a_text_is_ascii_and_always_the_same(value: Any) -> None:
    text = literal(value)
    assert text is not None
    assert text.isascii()
    assert literal(value) == text


def test_equal_values_of_one_type_have_one_text() -> None:
    class Zone(datetime.tzinfo):
        def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
            return datetime.timedelta(hours=1)

        def dst(self, when: datetime.datetime | None) -> None:
            return None

        def tzname(self, when: datetime.datetime | None) -> str:
            return "same"

        def __repr__(self) -> str:
            return f"<Zone at {id(self):#x}>"

    moments = [datetime.datetime(2024, 1, 1, tzinfo=zone) for zone in (Zone(), Zone(), datetime.timezone(datetime.timedelta(hours=1)))]
    assert len({literal(moment) for moment in moments}) == 1
    assert literal(memoryview(b"ab")) == literal(memoryview(b"ab"))
    assert literal(memoryview(b"ab")) != literal(memoryview(b"ac"))


class Plain(enum.Enum):
    A = 1


@pytest.mark.parametrize("value", [object(), Plain.A, {1, 2}, [object()], {"a": object()}, (1, Plain.A), iter(())])
def test_what_is_not_known_has_no_text(value: object) -> None:
    assert literal(value) is None


def test_what_django_makes_for_psycopg_is_told_apart() -> None:
    from django.db.backends.postgresql.psycopg_any import DateRange, DateTimeTZRange, Inet, Jsonb, NumericRange

    texts = [
        literal(Jsonb({"a": 1})), literal(Jsonb({"a": 2})), literal(Jsonb("x")), literal(Inet("1.2.3.4")),
        literal(NumericRange(1, 2)), literal(NumericRange(1, 3)), literal(NumericRange(1, 2, "[]")), literal(NumericRange(None, 2)),
        literal(DateRange(datetime.date(2024, 1, 1), None)), literal(DateTimeTZRange(datetime.datetime(2024, 1, 1, tzinfo=UTC), None)),
    ]  # fmt: skip
    assert None not in texts
    assert len(set(texts)) == len(texts)
