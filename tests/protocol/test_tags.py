"""Tags: distinct values have distinct tags, equal ones the same, and a tag can be taken apart again."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cache_consistency.protocol.tags import InexactValue, Keyspace, TagParts, digest, name_text, parts, value_text

KEYS = Keyspace("cc")
BOOKS = KEYS.table("d41d8cd9", "shop_book")

finite = st.decimals(allow_nan=False, allow_infinity=False)
one_type = st.sampled_from([
    st.integers(), st.text(), st.binary(), st.uuids(), st.dates(), finite, st.booleans(),
    st.tuples(st.integers(), st.text()),
])


@given(one_type.flatmap(lambda values: st.tuples(values, values)))
def test_values_of_one_column_have_the_same_text_exactly_if_they_are_equal(pair: tuple[object, object]) -> None:
    a, b = pair
    assert (value_text(a) == value_text(b)) is (a == b)


@given(st.one_of(st.integers(), st.text(), st.binary(), st.uuids(), st.dates(), finite, st.none()))
def test_a_text_is_short_ascii_without_what_separates_the_parts_of_a_tag(value: Any) -> None:
    text = value_text(value)
    assert text.isascii()
    assert not set(text) & set(":= \r\n")


@given(finite, st.integers(1, 60))
def test_the_text_of_a_decimal_does_not_depend_on_the_context_of_the_thread(value: Any, precision: int) -> None:
    with decimal.localcontext() as context:
        context.prec = precision
        narrow = value_text(value)
    assert narrow == value_text(value)


@pytest.mark.parametrize("group", [
    [Decimal(1), Decimal("1.0"), Decimal("1.00")],
    [Decimal(0), Decimal("-0"), Decimal("0.000"), Decimal("0E+5")],
    [Decimal(100), Decimal("1E+2"), Decimal("1.00E2")],
])
def test_decimals_that_a_database_holds_equal_have_one_text(group: list[Decimal]) -> None:
    assert len(set(map(value_text, group))) == 1


def test_decimals_longer_than_any_context_stay_apart() -> None:
    assert value_text(Decimal("1" * 40)) != value_text(Decimal("1" * 39 + "2"))


class Size(enum.StrEnum):
    SMALL = "s"


class Rank(enum.IntEnum):
    FIRST = 1


class Safe(str):
    """As Django's SafeString."""

    __slots__ = ()


@pytest.mark.parametrize(("value", "plain"), [(Size.SMALL, "s"), (Safe("s"), "s"), (Rank.FIRST, 1), (True, 1)])
def test_a_subclass_of_a_plain_type_is_filed_as_the_database_stores_it(value: Any, plain: object) -> None:
    assert value_text(value) == value_text(plain)


@pytest.mark.parametrize("value", [
    1.5, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), [1], {}, object(), Decimal("NaN"), Decimal("Infinity"), (1, 2.5),
    pytest.param(10 ** 5000, id="huge"),
])
def test_a_value_whose_equality_is_the_databases_business_has_no_text(value: Any) -> None:
    with pytest.raises(InexactValue):
        value_text(value)


def test_a_text_that_no_encoding_takes_has_a_text_all_the_same() -> None:
    assert value_text("\ud800") != value_text("?")


def test_none_is_a_value_of_its_own() -> None:
    assert value_text(None) == "null"
    assert value_text(None) != value_text("null")


names = st.text(min_size=1, max_size=100)


@given(names, names)
def test_distinct_names_stay_apart_whatever_tables_are_called(a: str, b: str) -> None:
    assume(a != b)
    assert name_text(a) != name_text(b)


@given(names)
def test_a_name_is_safe_inside_a_key(name: str) -> None:
    assert set(name_text(name)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$-~")


@given(table=names, vary=st.text(max_size=30), column=names, value=st.one_of(st.integers(), st.text()))
def test_a_tag_can_be_taken_apart_again(table: str, vary: str, column: str, value: Any) -> None:
    tags = KEYS.table("d41d8cd9", table, vary=vary)
    scope = ("d41d8cd9", name_text(vary) if vary else "", name_text(table))
    text = value_text(value)
    assert parts(tags.row(text)) == TagParts(*scope, "row", "", text)
    assert parts(tags.col(column, text)) == TagParts(*scope, "col", name_text(column), text)
    for kind in ("any", "bulk", "new"):
        assert parts(getattr(tags, kind)) == TagParts(*scope, kind, "", "")


@pytest.mark.parametrize("text", ["", "cc:epoch", "cc:e:f1:aa", "cc:t:d1:any", "cc:t:d1.book:everything", "d1.book:any"])
def test_what_is_no_tag_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a tag"):
        parts(text)


def test_the_tags_of_two_databases_and_of_two_tenants_never_meet() -> None:
    tables = [KEYS.table("aa", "book"), KEYS.table("bb", "book"), KEYS.table("aa", "book", vary="x"), KEYS.table("aa", "x.book")]
    assert len({table.any for table in tables}) == len(tables)


def test_every_key_begins_with_the_namespace() -> None:
    assert KEYS.epoch == "cc:epoch"
    assert KEYS.entry("f1", b"what") == "cc:e:f1:" + digest(b"what")
    assert KEYS.lease("recover", "t1") == "cc:l:recover:t1"
    assert BOOKS.row("1") == "cc:t:d41d8cd9.shop_book:row:1"
    assert BOOKS.col("sku", value_text(uuid.UUID(int=1))) == "cc:t:d41d8cd9.shop_book:col:sku=" + "0" * 31 + "1"
