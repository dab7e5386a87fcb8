"""Whatever goes into the codec for results comes back equal and of the same type, or is refused."""

import datetime
import decimal
import enum
import functools
import ipaddress
import random
import sys
import uuid
import zoneinfo
from typing import Any

import pytest
from django.db.models import Avg, Count, F, Max
from django.utils.safestring import mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.msgpack import Ext
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from cache_consistency.codecs.tagged import encode
from cache_consistency.codecs.values import decode_rows, encode_rows
from cache_consistency.exceptions import CodecError, CorruptEntry
from tests.codecs import models as m
from tests.codecs.comparing import driver_rows, rows_of, same

UTC = datetime.UTC
zones = st.sampled_from(
    [
        None,
        UTC,
        datetime.timezone(datetime.timedelta(hours=5, minutes=45)),
        datetime.timezone(datetime.timedelta(hours=-3), "BRT"),
        datetime.timezone(-datetime.timedelta(seconds=1, microseconds=1)),
        zoneinfo.ZoneInfo("Europe/Berlin"),
        zoneinfo.ZoneInfo("America/New_York"),
        zoneinfo.ZoneInfo("UTC"),
    ]
)
folded = st.integers(0, 1)
hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(),
    st.binary(),
    st.decimals(),
    st.sampled_from([decimal.Decimal("1E+30"), decimal.Decimal("-0.00"), decimal.Decimal("sNaN"), decimal.Decimal("NaN12")]),
    st.builds(lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold), st.datetimes(), zones, folded),
    st.dates(),
    st.builds(lambda time, zone, fold: time.replace(tzinfo=zone, fold=fold), st.times(), zones, folded),
    st.timedeltas(),
    st.uuids(),
    st.ip_addresses(),
    st.builds(ipaddress.ip_interface, st.tuples(st.ip_addresses(v=4), st.integers(0, 32))),
    st.builds(lambda pair: ipaddress.ip_network(pair, strict=False), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))),
)
ranges = st.one_of(
    st.builds(Range, st.integers() | st.none(), st.integers() | st.none(), st.sampled_from(["[)", "()", "[]", "(]"])),
    st.builds(Range, st.dates(), st.dates()),
    st.just(Range(empty=True)),
)
mutable = st.one_of(
    st.builds(bytearray, st.binary()), st.binary().map(lambda data: memoryview(data)), st.builds(Multirange, st.lists(ranges, max_size=3))
)
anything = st.recursive(
    hashable | ranges | mutable,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
        st.dictionaries(st.one_of(st.integers(), st.booleans(), st.text(max_size=5), st.tuples(st.integers())), inner, max_size=4),
    ),
    max_leaves=12,
)
columns = st.one_of(
    *(st.lists(strategy, min_size=3, max_size=3) for strategy in (anything, st.integers(), st.text(), st.datetimes(), st.none()))
)


@given(st.lists(columns, max_size=5).map(lambda given: list(zip(*given, strict=True))))
@settings(max_examples=400, deadline=None, database=None)
def test_rows_come_back_equal_and_of_the_same_type(rows: list[tuple[Any, ...]]) -> None:
    assert same(decode_rows(encode_rows(rows)), rows)


@given(st.lists(hashable, min_size=1, max_size=4))
@settings(max_examples=300, deadline=None, database=None)
def test_one_column_of_one_or_several_types(column: list[Any]) -> None:
    rows = [(value,) for value in column]
    assert same(decode_rows(encode_rows(rows)), rows)


@given(st.binary(max_size=80))
@settings(max_examples=1500, deadline=None, database=None)
def test_random_bytes_are_corrupt_and_nothing_else(payload: bytes) -> None:
    for attempt in (payload, b"*\n" + payload, b"*\n\x91\x91" + payload, b"i?s*\n\x91\x93" + payload):
        try:
            rows = decode_rows(attempt)
        except CorruptEntry:
            continue
        assert all(type(row) is tuple for row in rows)


@given(st.lists(st.tuples(anything), min_size=1, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None, database=None)
def test_damaged_bytes_are_corrupt_or_decode_to_rows(rows: list[tuple[Any, ...]], dice: random.Random) -> None:
    damaged = bytearray(encode_rows(rows))
    for _ in range(dice.randrange(1, 4)):
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
    try:
        decoded = decode_rows(bytes(damaged))
    except CorruptEntry:
        return
    assert all(type(row) is tuple for row in decoded)


@given(code=st.integers(-128, 127), data=st.binary(max_size=20))
@settings(max_examples=1500, deadline=None, database=None)
def test_an_extension_of_random_bytes_is_corrupt_or_a_value(code: int, data: bytes) -> None:
    payload = b"*\n" + encode([[Ext(code, data)]])
    try:
        rows = decode_rows(payload)
    except CorruptEntry:
        return
    assert len(rows[0]) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\n",
        b"i\n",
        b"x\n\x90",
        b"??\n\x90",
        b"i\n\x91\x92\x01\x02",
        b"*\n" + b"\x91" * 100_000,
        b"*\n\xdd\xff\xff\xff\xff",
        b"i?" * 100_000,
    ],
)
def test_bytes_that_are_not_rows(payload: bytes) -> None:
    with pytest.raises(CorruptEntry):
        decode_rows(payload)


def test_a_zone_that_this_machine_does_not_know_is_corrupt() -> None:
    moment = datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    payload = encode_rows([(moment,)])
    for name in (b"Europe/Berlix", b"../../etc/pas", b"Europe\x00Berlin", b"America/     "):
        with pytest.raises(CorruptEntry):
            decode_rows(payload.replace(b"Europe/Berlin", name))


def test_no_rows_and_rows_without_columns() -> None:
    assert decode_rows(encode_rows([])) == []
    assert decode_rows(encode_rows([(), ()])) == [(), ()]


def test_scalars_are_a_row_of_one() -> None:
    for value in (7, True, None, decimal.Decimal("1.50"), 0.5):
        assert same(decode_rows(encode_rows([[value]])), [(value,)])


def test_hits_of_the_usual_columns_are_compact() -> None:
    now = datetime.datetime(2024, 1, 1, tzinfo=UTC)
    rows = [(i, f"name {i}", now, uuid.UUID(int=i), decimal.Decimal("1.10"), None) for i in range(100)]
    assert len(encode_rows(rows)) / 100 < 48
    assert encode_rows(rows).startswith(b"istud0\n")


def test_every_decode_gives_its_own_mutable_values() -> None:
    payload = encode_rows([([1, [2]], {"a": [1]}, {1: [2]}, bytearray(b"x"), ([],), Multirange([Range(1, 2)]))])
    first, second = decode_rows(payload)[0], decode_rows(payload)[0]
    assert same(first, second)
    assert all(ours is not theirs for ours, theirs in zip(first, second, strict=True))
    assert first[1]["a"] is not second[1]["a"]
    assert first[4][0] is not second[4][0]


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    __slots__ = ()


class Zone(datetime.tzinfo):
    def utcoffset(self, moment: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(hours=1)

    def dst(self, moment: datetime.datetime | None) -> None: ...

    def tzname(self, moment: datetime.datetime | None) -> None: ...


recursive: list[Any] = []
recursive.append(recursive)


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Name("x"),
        mark_safe("x"),
        {1, 2},
        frozenset(),
        1j,
        object(),
        "\ud800",
        ["\ud800"],
        {"\ud800": 1},
        [object()],
        {"a": {1}},
        {Name("a"): 1},
        datetime.datetime(2024, 1, 1, tzinfo=Zone()),
        datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo.no_cache("Europe/Berlin")),
        memoryview(b"abcd").cast("I"),
        recursive,
        range(3),
        functools.partial(int),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_the_same_is_refused(value: Any) -> None:
    for rows in ([(value,)], [(1, value), (2, None)], [(value,), ("",)]):
        with pytest.raises(CodecError):
            encode_rows(rows)


def test_a_refusal_names_the_column() -> None:
    with pytest.raises(CodecError, match=r"column 1: .*set"):
        encode_rows([(1, {2})])


def test_rows_of_different_widths_are_refused() -> None:
    with pytest.raises(CodecError, match=r"\[1, 2\]"):
        encode_rows([(1,), (1, 2)])


def test_integers_at_the_edge_of_64_bits_and_beyond() -> None:
    edges = [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**5000]
    for edge in edges:
        assert same(decode_rows(encode_rows([(edge,), (1,)])), [(edge,), (1,)])
    assert same(decode_rows(encode_rows([(edge,) for edge in edges])), [(edge,) for edge in edges])


def test_ranges_need_psycopg_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = encode_rows([(Range(1, 2),)])
    monkeypatch.setitem(sys.modules, "psycopg.types.range", None)
    with pytest.raises(CorruptEntry):
        decode_rows(payload)
    with pytest.raises(CodecError):
        encode_rows([(Range(1, 2),)])


def test_rows_of_real_queries(alias: str) -> None:
    objects = rows_of(m.Scalars, alias)
    for number in range(3):
        objects.create(integer=number, money=decimal.Decimal("1.50"), real=None if number else 0.5, binary=b"\x00\xff", address="::1")
    rows_of(m.Documents, alias).create(plain={"a": [1]})
    rows_of(m.Moments, alias).create(moment=datetime.datetime(2024, 1, 1, tzinfo=UTC), duration=datetime.timedelta(days=1))
    owner = rows_of(m.Owner, alias).create()
    rows_of(m.Pet, alias).create(friend=rows_of(m.Pet, alias).create(owner=owner))
    querysets: list[Any] = [
        objects.all(),
        objects.values("boolean").annotate(n=Count("pk"), mean=Avg("real"), most=Max("money"), sum=F("integer") + 1),
        rows_of(m.Documents, alias).values_list("plain", "plain__a"),
        rows_of(m.Moments, alias).all(),
        rows_of(m.Pet, alias).select_related("friend", "owner").order_by("pk"),
        rows_of(m.Scalars, alias).values_list("binary"),
    ]
    for queryset in querysets:
        rows = [tuple(row) for row in driver_rows(queryset)]
        assert rows
        assert same(decode_rows(encode_rows(rows)), rows)


def test_arrays_ranges_and_hstore_of_real_queries(postgres_alias: str) -> None:
    rows_of(m.Arrays, postgres_alias).create(numbers=[1, None], matrix=[[1], [2]], moments=[datetime.datetime(2024, 1, 1, tzinfo=UTC)])
    rows_of(m.Ranges, postgres_alias).create(integers=Range(1, 5), decimals=Range(decimal.Decimal("1.5"), None))
    rows_of(m.Oddities, postgres_alias).create(attributes={"a": None}, ranges=Multirange([Range(1, 3)]), name="x")
    querysets: list[Any] = [rows_of(model, postgres_alias) for model in (m.Arrays, m.Ranges, m.Oddities)]
    for queryset in querysets:
        rows = driver_rows(queryset)
        assert same(decode_rows(encode_rows(rows)), rows)
