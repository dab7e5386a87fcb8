"""A store that is away, answers nonsense or refuses: every read is right all the same, and what went wrong is counted."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db.models import DecimalField, Sum, Value

from cache_consistency import stores
from cache_consistency.exceptions import StoreRefused, StoreTimeout, StoreUnavailable
from cache_consistency.protocol import entries
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.stores import MemoryStore
from tests.reading.desk import Desk, Read, counted, seen
from tests.reading.models import Thing

READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda m: m.get(slug="a"),
    "get by pk": lambda m: m.get(pk=Thing.objects.using(m.db).get(slug="a").pk),
    "list": lambda m: list(m.filter(stock=0)),
    "values": lambda m: list(m.order_by("pk").values("slug", "made", "price")),
    "joined": lambda m: list(m.select_related("maker").order_by("pk")),
    "count": lambda m: m.count(),
    "exists": lambda m: m.filter(stock=0).exists(),
    "aggregate": lambda m: m.aggregate(Sum("stock"), Sum("price")),
    "first": lambda m: m.first(),
    "in bulk": lambda m: m.in_bulk(sorted(Thing.objects.using(m.db).values_list("pk", flat=True))),
}


class Faulty(MemoryStore):
    """Fails in the moves named by ``broken``; what it holds can be exchanged."""

    broken: frozenset[str] = frozenset()
    error: Exception = StoreUnavailable("away")

    def _may(self, move: str) -> None:
        if move in self.broken:
            raise self.error

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        self._may("get")
        return super().get(keys)

    def take(self, tags: Sequence[str]) -> Any:
        self._may("take")
        return super().take(tags)

    def put(self, entries: Sequence[tuple[str, bytes]], *, ttl: float) -> None:
        self._may("put")
        super().put(entries, ttl=ttl)

    def exchange(self, change: Callable[[bytes], bytes]) -> int:
        """Change the bytes of every entry; return how many there were."""
        held = list(self._entries.items())
        for key, (value, expires) in held:
            self._entries[key] = (change(value), expires)
        return len(held)


@pytest.fixture
def faulty(make_desk: Any) -> Any:
    desk = make_desk(store="memory")
    store = Faulty(Keyspace(desk.store.keyspace.namespace))
    with stores.override(store):
        desk.store = store
        maker = desk.maker()
        desk.thing("a", maker=maker, made=datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), data={"x": [1]})
        desk.thing("b")
        yield desk


@pytest.mark.parametrize("move", ["get", "take", "put"])
@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreTimeout("slow"), StoreRefused("full")], ids=repr)
def test_a_store_that_is_away_in_any_move_leaves_every_read_right(faulty: Desk, move: str, error: Exception) -> None:
    expected = {name: seen(read(faulty.plain())) for name, read in READS.items()}
    faulty.store.broken, faulty.store.error = frozenset({move}), error  # type: ignore[attr-defined]
    for _ in range(2):
        for name, read in READS.items():
            assert seen(read(faulty.cached())) == expected[name], name
    faulty.store.broken = frozenset()  # type: ignore[attr-defined]
    for name, read in READS.items():
        read(faulty.cached())
        assert seen(read(faulty.cached())) == expected[name], name
    assert counted("hit") > 0


def test_a_missing_row_is_missing_while_the_store_is_away(faulty: Desk) -> None:
    faulty.store.broken = frozenset({"get", "take", "put"})  # type: ignore[attr-defined]
    with pytest.raises(Thing.DoesNotExist):
        faulty.cached().get(slug="none")
    assert counted("miss", "unavailable") == 1


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda raw: b"", "foreign"),
    "foreign": (lambda raw: b"what somebody else keeps here", "foreign"),
    "pickle": (lambda raw: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07attack!\x94.", "foreign"),
    "cut": (lambda raw: raw[:60], "*"),
    "payload cut": (lambda raw: raw[:-1], "corrupt"),
    "payload of something else": (lambda raw: raw[: _head_of(raw)] + b"\xc1\xc1 no rows", "corrupt"),
    "payload of other types": (lambda raw: raw[: _head_of(raw)] + b"i\n\x91\x91\xa3abc", "corrupt"),
    "payload gone": (lambda raw: raw[: _head_of(raw)], "corrupt"),
}


def _head_of(raw: bytes) -> int:
    """Return where the payload begins."""
    count, length = entries._SIZES.unpack_from(raw, entries._COUNT.start)
    return int(entries._FIXED + count * 42 + length)


@pytest.mark.parametrize("name", CHANGES)
def test_bytes_that_are_no_entry_of_ours_are_misses_and_are_replaced(faulty: Desk, name: str) -> None:
    change, cause = CHANGES[name]
    expected = {form: seen(read(faulty.plain())) for form, read in READS.items()}
    for read in READS.values():
        read(faulty.cached())
    stored = faulty.store.exchange(change)  # type: ignore[attr-defined]
    assert stored >= len(READS) - 2
    for form, read in READS.items():
        assert seen(read(faulty.cached())) == expected[form], form
    if cause != "*":
        assert counted("miss", cause) > 0


def test_an_entry_under_the_key_of_another_question_is_a_miss(faulty: Desk) -> None:
    """As after a collision of hashes: everything stands but the question."""
    faulty.cached().get(slug="a")
    faulty.cached().get(slug="b")
    held = faulty.store._entries  # type: ignore[attr-defined]
    (one, first), (two, second) = list(held.items())
    held[one], held[two] = second, first
    assert (faulty.cached().get(slug="a").slug, faulty.cached().get(slug="b").slug) == ("a", "b")


def test_bytes_that_cannot_be_decoded_do_not_stay_in_the_way(faulty: Desk) -> None:
    """Else every read of it would ask the store and the database until the entry's life ends."""
    for form in ("get", "list", "values", "count"):
        READS[form](faulty.cached())
    faulty.store.exchange(lambda raw: raw[: _head_of(raw)] + b"?")  # type: ignore[attr-defined]
    for form in ("get", "list", "values", "count"):
        READS[form](faulty.cached())
        faulty.hit(READS[form], faulty.cached())


def test_a_value_that_cannot_be_stored_is_returned_and_counted(faulty: Desk) -> None:
    huge = 2**80
    read: Read = lambda: list(faulty.cached().annotate(huge=Value(huge, output_field=DecimalField())).values_list("huge", flat=True))  # noqa: E731
    if faulty.alias == "default":
        pytest.skip("SQLite has no number of 80 bits")
    assert read() == read() == [huge, huge]


def test_a_text_that_cannot_be_stored_is_returned_and_counted(faulty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from cache_consistency.codecs.rows import RowCodec
    from cache_consistency.exceptions import CodecError
    from cache_consistency.reading import queries

    def refuse(*args: object) -> bytes:
        raise CodecError("column 1: not that", field="name")

    expected = {name: seen(read(faulty.plain())) for name, read in READS.items()}
    monkeypatch.setattr(RowCodec, "encode", refuse)
    for form in ("ROWS", "ROWS_OF_TABLE"):
        monkeypatch.setattr(queries, form, queries.ROWS.__class__("refusing", refuse, queries.ROWS.decode))
    for _ in range(2):
        for name, read in READS.items():
            assert seen(read(faulty.cached())) == expected[name], name
    assert counted("store", "unencodable") >= 2 * len(READS)
    assert counted("store", "stored") == 0


def test_an_answer_that_is_too_big_is_returned_and_not_kept(faulty: Desk) -> None:
    faulty.plain().filter(slug="a").update(big="x" * (2 << 20))
    for _ in range(2):
        assert len(faulty.missed(lambda: faulty.cached().get(slug="a")).big) == 2 << 20
    assert counted("store_refused", "too_big") == 2


def test_a_young_epoch_stores_nothing(make_desk: Any) -> None:
    desk: Desk = make_desk(store="memory")
    with stores.override(MemoryStore(desk.store.keyspace, quarantine=1000)):
        desk.thing("a")
        desk.never_cached(lambda: desk.cached().get(slug="a"))
        desk.never_cached(lambda: desk.cached().count())
