"""An instance that went through the codec is the instance that Django makes of the same row."""

import asyncio
import datetime
import decimal
import gc
import itertools
import random
import uuid
import weakref
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as default_connection
from django.db import connections, models
from django.db.models import signals
from django.test import override_settings
from django.test.utils import isolate_apps

from cache_consistency.codecs.rows import RowCodec, codec_for, problems
from cache_consistency.exceptions import CodecError, CorruptEntry
from tests.codecs import models as m
from tests.codecs.comparing import assert_round_trip, assert_same_instance, driver_rows, rows_of

UTC = datetime.UTC
BERLIN = ZoneInfo("Europe/Berlin")


def test_scalars_of_every_type_and_at_their_limits(alias: str) -> None:
    make = rows_of(m.Scalars, alias).create
    make()
    make(char="ß𝄞\u200d👩‍👩‍👧", text="Zeile\n\t\x01", real=1e308, money=decimal.Decimal("-1234567890123456.7891"), binary=bytes(range(256)))
    make(integer=2**31 - 1, small=-(2**15), big=-(2**63), positive=2**31 - 1, positive_small=2**15 - 1, positive_big=2**63 - 1)
    make(boolean=True, boolean_or_none=True, real=float("inf"), address="2001:db8::1", money=decimal.Decimal("0.1"))
    make(boolean_or_none=False, real=None, address="10.0.0.1", token=uuid.UUID(int=0))
    codec = assert_round_trip(rows_of(m.Scalars, alias).order_by("pk"))
    assert codec.is_compiled


def test_floats_that_are_no_numbers(postgres_alias: str) -> None:
    rows_of(m.Scalars, postgres_alias).create(real=float("nan"))
    rows_of(m.Scalars, postgres_alias).create(real=float("-inf"))
    assert_round_trip(rows_of(m.Scalars, postgres_alias))


def test_a_decimal_that_is_no_number(postgres_alias: str) -> None:
    rows_of(m.Scalars, postgres_alias).create()
    with connections[postgres_alias].cursor() as cursor:
        cursor.execute("UPDATE codecs_tests_scalars SET money = 'NaN'")
    assert_round_trip(rows_of(m.Scalars, postgres_alias))


@pytest.fixture(params=["utc", "naive", "naive in Berlin", "connection in Berlin", "connection in UTC by name"])
def zone(request: pytest.FixtureRequest, alias: str) -> Iterator[datetime.tzinfo | None]:
    """The time zone settings of Django and of the connection; gives the zone that datetimes carry."""
    connection = connections[alias]
    use_tz, name, own, expected = {
        "utc": (True, "UTC", None, UTC),
        "naive": (False, "UTC", None, None),
        "naive in Berlin": (False, "Europe/Berlin", None, None),
        "connection in Berlin": (True, "UTC", "Europe/Berlin", BERLIN),
        "connection in UTC by name": (True, "UTC", "UTC", ZoneInfo("UTC")),
    }[request.param]

    def apply(zone_name: str | None) -> None:
        connection.settings_dict["TIME_ZONE"] = zone_name
        for cached in ("timezone", "timezone_name"):
            connection.__dict__.pop(cached, None)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT set_config('TimeZone', %s, false)", [connection.timezone_name])

    with override_settings(USE_TZ=use_tz, TIME_ZONE=name):
        apply(own)
        yield expected
    apply(None)


MOMENTS = [
    "0001-01-02 03:04:05.000006",
    "9999-12-30 23:59:59.999999",
    "1969-12-31 23:59:59.999999",
    "1893-03-31 12:00",  # an offset with seconds in Berlin
    "2024-03-31 02:30",  # does not exist in Berlin; SQLite keeps it
    "2024-10-27 02:30",  # twice in Berlin
    "2024-07-01 12:00:00.000001",
]


@pytest.mark.parametrize("text", MOMENTS)
def test_moments_in_every_kind_of_zone(alias: str, zone: datetime.tzinfo | None, text: str) -> None:
    wall_clock = datetime.datetime.fromisoformat(text)
    for fold in (0, 1):
        moment = wall_clock.replace(tzinfo=zone, fold=fold)
        rows_of(m.Moments, alias).create(
            moment=moment,
            date=wall_clock.date(),
            time=wall_clock.time(),
            duration=datetime.timedelta(days=-3, microseconds=7),
        )
    rows_of(m.Moments, alias).create()
    codec = assert_round_trip(rows_of(m.Moments, alias).order_by("pk"))
    assert codec.is_compiled


def test_both_passes_through_an_hour_are_told_apart(postgres_alias: str) -> None:
    connection = connections[postgres_alias]
    connection.settings_dict["TIME_ZONE"] = "Europe/Berlin"
    connection.__dict__.pop("timezone"), connection.__dict__.pop("timezone_name")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL TimeZone = 'Europe/Berlin'")
        for hour in (0, 1):
            rows_of(m.Moments, postgres_alias).create(moment=datetime.datetime(2024, 10, 27, hour, 30, tzinfo=UTC))
        assert [row.moment.fold for row in rows_of(m.Moments, postgres_alias).order_by("pk") if row.moment] == [0, 1]
        assert_round_trip(rows_of(m.Moments, postgres_alias).order_by("pk"))
    finally:
        connection.settings_dict["TIME_ZONE"] = None
        connection.__dict__.pop("timezone"), connection.__dict__.pop("timezone_name")


@pytest.mark.parametrize("duration", [datetime.timedelta(0), datetime.timedelta(days=99999, seconds=86399, microseconds=999999)])
def test_durations(alias: str, duration: datetime.timedelta) -> None:
    rows_of(m.Moments, alias).create(duration=duration)
    rows_of(m.Moments, alias).create(duration=-duration)
    assert_round_trip(rows_of(m.Moments, alias).order_by("pk"))


@pytest.mark.parametrize(
    "value",
    [None, {}, [], "text", 0, 1.5, True, {"a": [1, {"b": None}]}, 2**70, "\ud83d\ude00", models.Value(None, models.JSONField())],
    ids=repr,
)
def test_json_is_decoded_for_each_caller(alias: str, value: Any) -> None:
    rows_of(m.Documents, alias).create(plain=value, special={"x": [1, {"y": decimal.Decimal("1.5")}]})
    codec = assert_round_trip(rows_of(m.Documents, alias))
    (row,) = codec.decode(codec.encode(driver_rows(rows_of(m.Documents, alias))))
    first, second = (codec.build(row, db=alias) for _ in range(2))
    assert first.special == ("decoded", {"x": [1, ("decoded", {"y": "1.5"})]})
    assert first.special[1] is not second.special[1]
    assert first.plain is not second.plain or not isinstance(first.plain, (dict, list))


def test_json_null_is_not_sql_null_in_storage_but_none_in_both_cases(alias: str) -> None:
    rows_of(m.Documents, alias).create(plain=models.Value(None, models.JSONField()))
    rows_of(m.Documents, alias).create(plain=None)
    assert [row[1] for row in driver_rows(rows_of(m.Documents, alias).order_by("pk"))] == ["null", None]
    assert_round_trip(rows_of(m.Documents, alias).order_by("pk"))


def test_generated_columns(alias: str) -> None:
    rows_of(m.Generated, alias).create(side=7, price=decimal.Decimal("1.10"))
    assert assert_round_trip(rows_of(m.Generated, alias)).is_compiled


def test_files_are_names_until_somebody_looks(alias: str) -> None:
    rows_of(m.Files, alias).create(file="files/a.txt")
    rows_of(m.Files, alias).create(file=None)
    codec = assert_round_trip(rows_of(m.Files, alias).order_by("pk"))
    assert codec.is_compiled
    expected = list(rows_of(m.Files, alias).order_by("pk"))
    built = codec.build_many(codec.decode(codec.encode(driver_rows(rows_of(m.Files, alias).order_by("pk")))), db=alias)
    for ours, theirs in zip(built, expected, strict=True):
        assert type(ours.file) is type(theirs.file)
        assert ours.file == theirs.file
        assert ours.file.instance is ours


def test_pictures_with_dimensions_take_the_slow_way_and_run_djangos_receiver(alias: str) -> None:
    rows_of(m.Pictures, alias).bulk_create([m.Pictures(picture="", width=3, height=4)])
    codec = assert_round_trip(rows_of(m.Pictures, alias))
    assert not codec.is_compiled
    (row,) = codec.decode(codec.encode(driver_rows(rows_of(m.Pictures, alias))))
    built = codec.build(row, db=alias)
    assert (built.width, built.height) == (rows_of(m.Pictures, alias).get().width, rows_of(m.Pictures, alias).get().height)


def test_foreign_keys_have_the_type_of_their_target(alias: str) -> None:
    owner = rows_of(m.Owner, alias).create()
    pet = rows_of(m.Pet, alias).create(owner=owner)
    rows_of(m.Pet, alias).create(friend=pet)
    codec = assert_round_trip(rows_of(m.Pet, alias).order_by("pk"))
    assert codec.is_compiled
    (row, _) = codec.decode(codec.encode(driver_rows(rows_of(m.Pet, alias).order_by("pk"))))
    assert codec.build(row, db=alias).owner == owner


def test_children_of_another_table_and_their_proxies(alias: str) -> None:
    owner = rows_of(m.Owner, alias).create()
    rows_of(m.Dog, alias).create(owner=owner, breed="Dackel")
    assert assert_round_trip(rows_of(m.Dog, alias)).is_compiled
    assert assert_round_trip(rows_of(m.LoudDog, alias)).is_compiled


def test_a_composite_primary_key_has_no_column_of_its_own(alias: str) -> None:
    rows_of(m.Seat, alias).create(row=3, number="7a")
    codec = assert_round_trip(rows_of(m.Seat, alias))
    (row,) = codec.decode(codec.encode(driver_rows(rows_of(m.Seat, alias))))
    assert codec.build(row, db=alias).pk == (3, "7a")


def test_a_custom_field_converts_for_each_caller(alias: str) -> None:
    rows_of(m.Custom, alias).create(words=["a", "b"], shouted="hey", padded=datetime.datetime(2024, 1, 1, tzinfo=UTC))
    rows_of(m.Custom, alias).create(words=None, shouted="", padded=None)
    codec = assert_round_trip(rows_of(m.Custom, alias).order_by("pk"))
    assert codec.is_compiled
    row, _ = codec.decode(codec.encode(driver_rows(rows_of(m.Custom, alias).order_by("pk"))))
    first, second = (codec.build(row, db=alias) for _ in range(2))
    assert first.words == second.words == m.Words(["a", "b"])
    assert first.words is not second.words
    assert {column.attname: bool(column.lazy) for column in codec.columns} == {"id": False, "words": True, "shouted": False, "padded": True}


def test_a_foreign_key_to_a_custom_field_is_converted_by_it(alias: str) -> None:
    rows_of(m.WordsLink, alias).bulk_create([m.WordsLink(target_id=["a", "b"])])
    codec = assert_round_trip(rows_of(m.WordsLink, alias))
    (row,) = codec.decode(codec.encode(driver_rows(rows_of(m.WordsLink, alias))))
    assert type(codec.build(row, db=alias).target_id) is m.Words


def test_a_descriptor_on_an_attribute_is_honoured(alias: str) -> None:
    rows_of(m.Described, alias).bulk_create([m.Described(name="x")])
    rows_of(m.Described, alias).update(name="  padded ")
    codec = assert_round_trip(rows_of(m.Described, alias))
    assert not codec.is_compiled


@pytest.mark.parametrize("model", [m.OwnInit, m.MixinBehind, m.OwnFromDb])
def test_overridden_constructors_run(alias: str, model: Any) -> None:
    rows_of(model, alias).create(name="x")
    codec = assert_round_trip(rows_of(model, alias))
    assert not codec.is_compiled


@pytest.mark.parametrize("signal", [signals.pre_init, signals.post_init])
def test_a_receiver_that_comes_after_the_codec_was_made_is_called(alias: str, signal: Any) -> None:
    rows_of(m.Pet, alias).create()
    codec = assert_round_trip(rows_of(m.Pet, alias))
    (row,) = codec.decode(codec.encode(driver_rows(rows_of(m.Pet, alias))))
    calls: list[Any] = []

    def receiver(sender: Any, **kwargs: Any) -> None:
        calls.append(sender)

    signal.connect(receiver, sender=m.Pet)
    try:
        assert not codec.is_compiled
        codec.build(row, db=alias)
        codec.build_many([row, row], db=alias)
        assert calls == [m.Pet] * 3
    finally:
        signal.disconnect(receiver, sender=m.Pet)
    assert codec.is_compiled
    codec.build(row, db=alias)
    assert len(calls) == 3


def test_a_receiver_of_another_model_does_not_slow_this_one(sqlite_alias: str) -> None:
    def receiver(**kwargs: Any) -> None: ...

    signals.post_init.connect(receiver, sender=m.Owner)
    try:
        assert codec_for(m.Pet, connections[sqlite_alias]).is_compiled
        assert not codec_for(m.Owner, connections[sqlite_alias]).is_compiled
    finally:
        signals.post_init.disconnect(receiver, sender=m.Owner)


def test_arrays(postgres_alias: str) -> None:
    make = rows_of(m.Arrays, postgres_alias).create
    make()
    make(
        numbers=[1, None, -3],
        texts=["a", "ß,\"'{}"],
        matrix=[[1, 2], [3, 4]],
        prices=[decimal.Decimal("1.10")],
        tokens=[uuid.uuid4()],
        days=[datetime.date(2024, 2, 29)],
        moments=[datetime.datetime(2024, 1, 1, 12, tzinfo=UTC)],
        flags=[True, False],
        addresses=["10.0.0.1", "::1"],
        words=[["a", "b"], ["c"]],
    )
    codec = assert_round_trip(rows_of(m.Arrays, postgres_alias).order_by("pk"))
    _, row = codec.decode(codec.encode(driver_rows(rows_of(m.Arrays, postgres_alias).order_by("pk"))))
    first, second = (codec.build(row, db=postgres_alias) for _ in range(2))
    assert all(getattr(first, column.attname) is not getattr(second, column.attname) for column in codec.columns if column.attname != "id")
    first.matrix[0].append(9)
    assert second.matrix == [[1, 2], [3, 4]]
    assert codec.build(row, db=postgres_alias).matrix == [[1, 2], [3, 4]]


def test_ranges(postgres_alias: str) -> None:
    from django.db.backends.postgresql.psycopg_any import DateRange, DateTimeTZRange, NumericRange

    make = rows_of(m.Ranges, postgres_alias).create
    make()
    make(integers=NumericRange(1, 5), bigs=NumericRange(None, 2**40), decimals=NumericRange(decimal.Decimal("1.50"), None, "()"))
    make(integers=NumericRange(empty=True), dates=DateRange(datetime.date(2024, 1, 1), None))
    make(moments=DateTimeTZRange(datetime.datetime(2024, 1, 1, tzinfo=UTC), datetime.datetime(2024, 1, 2, tzinfo=UTC), "[]"))
    assert_round_trip(rows_of(m.Ranges, postgres_alias).order_by("pk"))


def test_hstore_multiranges_and_collations(postgres_alias: str) -> None:
    from psycopg.types.multirange import Multirange
    from psycopg.types.range import Range

    make = rows_of(m.Oddities, postgres_alias).create
    make()
    make(attributes={"a": "1", "b": None, "ß": ""}, ranges=Multirange([Range(1, 3), Range(7, 9)]), name="Straße", collated="Ä")
    codec = assert_round_trip(rows_of(m.Oddities, postgres_alias).order_by("pk"))
    _, row = codec.decode(codec.encode(driver_rows(rows_of(m.Oddities, postgres_alias).order_by("pk"))))
    first, second = (codec.build(row, db=postgres_alias) for _ in range(2))
    assert first.attributes is not second.attributes
    assert first.ranges is not second.ranges
    first.attributes["c"] = "3"
    assert "c" not in codec.build(row, db=postgres_alias).attributes


def test_hstore_stays_text_where_its_handler_is_not_registered(sqlite_alias: str) -> None:
    codec: Any = codec_for(m.Oddities, connections[sqlite_alias])
    (row,) = codec.decode(codec.encode([(1, '"a"=>"1"', None, None, "")]))
    assert codec.build(row, db=sqlite_alias).attributes == '"a"=>"1"'


def test_no_rows(alias: str) -> None:
    codec = codec_for(m.Scalars, connections[alias])
    assert codec.decode(codec.encode([])) == []
    assert codec.build_many([], db=alias) == []


@pytest.mark.parametrize(
    ("model", "row", "field"),
    [
        (m.Seat, ("three", "7a", 0), "row"),  # SQLite stores any type anywhere
        (m.Seat, (2**64, "7a", 0), "row"),
        (m.Seat, (3, "\ud800", 0), "number"),
        (m.Seat, (3, "7a", 2), "taken"),
        (m.Owner, ("no uuid",), "id"),
        (m.Moments, (1, None, "no moment", None, None), "moment"),
        (m.Documents, (1, b"{}", "{}"), "plain"),
        (m.Files, (1, 7), "file"),
        (m.Arrays, (1, [1, "2"], [], [], [], [], [], [], [], [], []), "numbers"),
        (m.Arrays, (1, [], [], [1], [], [], [], [], [], [], []), "matrix"),
        (m.Custom, (1, object(), "", None), "words"),
        (m.Oddities, (1, ["a"], None, None, ""), "attributes"),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused_by_field(sqlite_alias: str, model: Any, row: tuple[Any, ...], field: str) -> None:
    codec = codec_for(model, connections[sqlite_alias])
    good = codec.encode([])
    with pytest.raises(CodecError) as refused:
        codec.encode([row])
    assert refused.value.field == field
    assert repr(field) in str(refused.value)
    assert codec.decode(good) == []


def test_a_refusal_does_not_quote_the_value(sqlite_alias: str) -> None:
    codec = RowCodec(m.Seat, connections[sqlite_alias])

    def store(row: tuple[Any, ...]) -> Any:
        raise ValueError(f"no such value: {row}")
    codec._store = store
    with pytest.raises(CodecError, match=r"cannot be stored: ValueError$"):
        codec.encode([(1, "s3cret", 0)])


def test_a_row_of_another_width_is_refused(sqlite_alias: str) -> None:
    with pytest.raises(CodecError, match="2 values for 3 columns"):
        codec_for(m.Seat, connections[sqlite_alias]).encode([(1, "a", 0), (1, "a")])


@pytest.mark.parametrize("model", [m.Scalars, m.Moments, m.Documents, m.Custom, m.Seat, m.Arrays, m.Ranges, m.Oddities])
def test_foreign_bytes_are_corrupt_and_nothing_else(sqlite_alias: str, model: Any) -> None:
    codec = codec_for(model, connections[sqlite_alias])
    dice = random.Random(16)
    for size in range(400):
        payload = b"\x91" * (size % 3) + dice.randbytes(size % 60)
        try:
            rows = codec.decode(payload)
        except CorruptEntry:
            continue
        assert all(len(row) == len(codec.columns) for row in rows)


def test_a_damaged_entry_is_corrupt_or_decodes_but_never_breaks(alias: str) -> None:
    rows_of(m.Scalars, alias).create(binary=b"abc", text="x", address="::1")
    codec = codec_for(m.Scalars, connections[alias])
    payload = codec.encode(driver_rows(rows_of(m.Scalars, alias)))
    dice = random.Random(7)
    for _ in range(1500):
        damaged = bytearray(payload)
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            rows = codec.decode(bytes(damaged))
        except CorruptEntry:
            continue
        codec.build_many(rows, db=alias)
    for size in range(len(payload)):
        with pytest.raises(CorruptEntry):
            codec.decode(payload[:size])


def test_the_fingerprint_is_that_of_the_columns_the_vendor_and_the_zone(sqlite_alias: str, postgres_alias: str) -> None:
    sqlite, postgres = connections[sqlite_alias], connections[postgres_alias]
    codec = codec_for(m.Moments, sqlite)
    assert codec.fingerprint == RowCodec(m.Moments, sqlite).fingerprint
    with override_settings(USE_TZ=False):
        naive = codec_for(m.Moments, sqlite).fingerprint
        with override_settings(TIME_ZONE="Europe/Berlin"):
            in_berlin = codec_for(m.Moments, sqlite).fingerprint
    others = [naive, in_berlin, codec_for(m.Moments, postgres).fingerprint, codec_for(m.Scalars, sqlite).fingerprint]
    assert len({codec.fingerprint, *others}) == 5
    assert codec_for(m.Moments, sqlite) is codec


@isolate_apps("tests.testapp")
def test_the_fingerprint_changes_with_every_change_of_a_field() -> None:
    numbers = itertools.count()

    def fingerprint(**fields: "models.Field[Any, Any]") -> str:
        meta = type("Meta", (), {"app_label": "testapp"})
        model = type(f"Shape{next(numbers)}", (models.Model,), {"__module__": __name__, "Meta": meta, **fields})
        return codec_for(model, default_connection).fingerprint

    shapes: list[dict[str, Any]] = [
        {"a": models.IntegerField(), "b": models.TextField()},
        {"b": models.TextField(), "a": models.IntegerField()},
        {"a": models.IntegerField(), "c": models.TextField()},
        {"a": models.BigIntegerField(), "b": models.TextField()},
        {"a": models.IntegerField(db_column="x"), "b": models.TextField()},
        {"a": models.DecimalField(max_digits=5, decimal_places=2), "b": models.TextField()},
        {"a": models.DecimalField(max_digits=5, decimal_places=3), "b": models.TextField()},
        {"a": models.IntegerField(), "b": m.WordsField()},
        {"a": models.IntegerField()},
    ]
    assert len({fingerprint(**shape) for shape in shapes}) == len(shapes)
    assert fingerprint(a=models.IntegerField(help_text="one"), b=models.TextField(blank=True)) == fingerprint(
        a=models.IntegerField(), b=models.TextField()
    )


@isolate_apps("tests.testapp")
def test_a_field_that_is_added_later_makes_a_new_codec() -> None:
    class Growing(models.Model):
        class Meta:
            app_label = "testapp"

    before = codec_for(Growing, default_connection)
    models.IntegerField(null=True).contribute_to_class(Growing, "more")
    after = codec_for(Growing, default_connection)
    assert [column.attname for column in after.columns] == ["id", "more"]
    assert after.fingerprint != before.fingerprint


def test_making_a_codec_opens_no_connection_and_keeps_none_alive(sqlite_alias: str) -> None:
    other = connections[sqlite_alias].copy()
    codec = RowCodec(m.Scalars, other)
    assert other.connection is None
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None
    assert codec.decode(codec.encode([])) == []


@isolate_apps("tests.testapp")
def test_problems_name_what_can_never_be_stored() -> None:
    class Abstract(models.Model):
        class Meta:
            app_label = "testapp"
            abstract = True

    class Lost(models.Model):
        target = models.ForeignKey("testapp.Nowhere", on_delete=models.CASCADE)

        class Meta:
            app_label = "testapp"

    class Swapped(models.Model):
        class Meta:
            app_label = "testapp"
            swappable = "CODECS_TEST_SWAP"

    assert [name for name, _ in problems(Lost)] == ["target"]
    assert [name for name, _ in problems(Abstract)] == [""]
    with override_settings(CODECS_TEST_SWAP="testapp.Lost"):
        assert "testapp.Lost" in problems(Swapped)[0][1]
    assert {model: problems(model) for model in m.EVERYWHERE + m.POSTGRES_ONLY if problems(model)} == {}


def test_a_from_db_without_fetch_mode_is_called_without(sqlite_alias: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_db(cls: Any, db: str, field_names: list[str], values: list[Any]) -> Any:
        return ("old style", db, field_names, values)

    monkeypatch.setattr(m.OwnFromDb, "from_db", classmethod(from_db))
    codec = RowCodec(m.OwnFromDb, connections[sqlite_alias])
    (row,) = codec.decode(codec.encode([(1, "x")]))
    built: Any = codec.build(row, db=sqlite_alias)
    assert built == ("old style", sqlite_alias, ["id", "name"], [1, "x"])


def test_codecs_are_made_and_used_inside_a_coroutine(sqlite_alias: str) -> None:
    async def use() -> Any:
        codec = RowCodec(m.Custom, connections[sqlite_alias])
        (row,) = codec.decode(codec.encode([(1, "a b", "X", None)]))
        return codec.build(row, db=sqlite_alias)

    assert asyncio.run(use()).words == m.Words(["a", "b"])


@pytest.mark.skipif(not hasattr(models, "FETCH_PEERS"), reason="fetch modes came with Django 6.1")
@pytest.mark.parametrize("model", [m.Pet, m.OwnFromDb, m.OwnInit])
@pytest.mark.parametrize("mode", ["FETCH_ONE", "FETCH_PEERS", "FETCH_RAISE"])
def test_fetch_modes_and_peers_are_those_of_the_queryset(alias: str, model: Any, mode: str) -> None:
    fetch_mode = getattr(models, mode)
    for _ in range(3):
        rows_of(model, alias).create()
    queryset = rows_of(model, alias).order_by("pk")
    codec = codec_for(model, connections[alias])
    rows = codec.decode(codec.encode(driver_rows(queryset)))
    built, expected = codec.build_many(rows, db=alias, fetch_mode=fetch_mode), list(queryset.fetch_mode(fetch_mode))
    for ours, theirs in zip(built, expected, strict=True):
        assert_same_instance(ours, theirs)
    assert [peer() for peer in built[0]._state.peers] == (built if mode == "FETCH_PEERS" else [])
    assert [peer() for peer in expected[0]._state.peers] == (expected if mode == "FETCH_PEERS" else [])
    alone = codec.build(rows[0], db=alias, fetch_mode=fetch_mode)
    assert alone._state.fetch_mode is fetch_mode
