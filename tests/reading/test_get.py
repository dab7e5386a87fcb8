"""``get``: by pk, by a unique field, by a declared lookup; what it raises; what a caller may do with what it got."""

from __future__ import annotations

import decimal
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db.models import Sum

from cache_consistency import CachedManager
from tests.reading.desk import Desk, Read, counted, seen
from tests.reading.models import Code, Coded, Kind, Maker, Note, OnlyCached, Passport, Rate, Special, Spot, Thing, ThingProxy


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_a_get_by_pk_is_a_hit_from_the_second_time_on_and_a_write_ends_it(make_desk: Any, store: str) -> None:
    desk: Desk = make_desk(store=store)
    pk = desk.thing(data={"a": [1]}, price=decimal.Decimal("9.90"), blob=b"\0x").pk
    read: Read = lambda: desk.cached().get(pk=pk)  # noqa: E731
    assert seen(desk.missed(read)) == seen(desk.plain().get(pk=pk))
    assert seen(desk.hit(read)) == seen(desk.plain().get(pk=pk))
    desk.plain().filter(pk=pk).update(name="new")
    assert desk.missed(read).name == "new"
    assert desk.hit(read).name == "new"
    assert (counted("hit"), counted("store", "stored")) == (2, 2)


def test_every_name_and_form_of_a_lookup_finds_the_same_row(desk: Desk) -> None:
    maker = desk.maker()
    thing = desk.thing(serial=7, maker=maker, by_code=maker, kind=Kind.TOY)
    names: list[dict[str, Any]] = [
        {"pk": thing.pk}, {"id": thing.pk}, {"pk": str(thing.pk)}, {"id": f"{thing.pk}"}, {"pk": float(thing.pk)},
        {"slug": "one"}, {"serial": 7}, {"serial": "7"},
        {"maker": maker}, {"maker": maker.pk}, {"maker_id": maker.pk}, {"maker_id": str(maker.pk)}, {"maker__pk": maker.pk},
        {"by_code": maker}, {"by_code": "acme"}, {"by_code_id": "acme"}, {"by_code__code": "acme"},
        {"kind": Kind.TOY}, {"kind": "y"}, {"pk__exact": thing.pk}, {"name": "one"}, {"pk": thing.pk, "name": "one"},
    ]  # fmt: skip
    expected = seen(desk.plain().get(pk=thing.pk))
    for form in names:
        assert seen(desk.cached().get(**form)) == expected, form
        assert seen(desk.hit(desk.cached().get, **form)) == expected, form
    desk.plain().filter(pk=thing.pk).update(stock=5)
    for form in names:
        assert desk.cached().get(**form).stock == 5, form


def test_lookups_that_share_a_value_share_an_entry_whatever_its_form(desk: Desk) -> None:
    pk = desk.thing().pk
    desk.warm(lambda: desk.cached().get(pk=pk))
    assert desk.hit(lambda: desk.cached().get(id=str(pk))).pk == pk


def test_what_is_missing_raises_as_django_and_is_freed_by_the_insert(desk: Desk) -> None:
    for form in ({"pk": 99}, {"slug": "none"}, {"maker": 99}, {"name": "none"}):
        with pytest.raises(Thing.DoesNotExist) as ours:
            desk.cached().get(**form)
        with pytest.raises(Thing.DoesNotExist) as djangos:
            desk.plain().get(**form)
        assert (type(ours.value), str(ours.value)) == (type(djangos.value), str(djangos.value))
        with pytest.raises(Thing.DoesNotExist):
            desk.hit(desk.cached().get, **form)
    made = desk.thing("none")
    assert desk.cached().get(slug="none").pk == made.pk
    assert desk.cached().get(name="none").pk == made.pk


def test_a_row_whose_pk_the_database_makes_frees_the_negative_entry_under_that_pk(desk: Desk) -> None:
    pk = desk.thing().pk + 1
    for read in (
        lambda: desk.cached().filter(pk=pk).first(), lambda: desk.cached().filter(pk=pk).count(),
        lambda: desk.cached().filter(pk=pk).exists(),
        lambda: list(desk.cached().filter(pk__in=[pk, pk - 1]).values_list("pk", flat=True)),
        lambda: desk.cached().filter(pk__in=[pk, pk - 1]).aggregate(n=Sum("stock")),
        lambda: list(desk.cached().filter(pk__in=[pk, pk - 1]).values_list("pk", "tags__word")),
    ):  # fmt: skip
        read()
        desk.hit(read)
    with pytest.raises(Thing.DoesNotExist):
        desk.cached().get(pk=pk)
    tags = [desk.tag("a"), desk.tag("b")]
    desk.plain().get(pk=pk - 1).tags.set(tags)
    read_pairs: Read = lambda: sorted(map(str, desk.cached().filter(pk__in=[pk, pk - 1]).values_list("pk", "tags__word")))  # noqa: E731
    assert len(read_pairs()) == 2
    assert desk.thing("two", stock=4).pk == pk
    assert desk.cached().get(pk=pk).slug == "two"
    assert desk.cached().filter(pk=pk).first().slug == "two"
    assert desk.cached().filter(pk=pk).count() == 1
    assert desk.cached().filter(pk=pk).exists()
    assert len(read_pairs()) == 3, "a join makes of one row two, so rows cannot be counted"


def test_more_than_one_raises_as_django(desk: Desk) -> None:
    maker = desk.maker()
    for number in range(25):
        desk.thing(f"s{number:02}", maker=maker, name="same" if number < 3 else "other")
    for form in ({"maker": maker.pk}, {"maker": maker}, {"name": "same"}, {}):
        with pytest.raises(Thing.MultipleObjectsReturned) as djangos:
            desk.plain().get(**form)
        for _ in range(2):
            with pytest.raises(Thing.MultipleObjectsReturned) as ours:
                desk.cached().get(**form)
            assert str(ours.value) == str(djangos.value)


@pytest.mark.parametrize("form", [{"pk": "no number"}, {"nothing": 1}, {"maker": "x"}, {"serial": [1]}, {"pk": object()}])
def test_a_value_that_makes_no_sense_raises_as_django(desk: Desk, form: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, FieldError)) as djangos:
        desk.plain().get(**form)
    with pytest.raises(type(djangos.value)) as ours:
        desk.cached().get(**form)
    assert str(ours.value) == str(djangos.value)


def test_none_is_no_value_to_look_up(desk: Desk) -> None:
    desk.thing(serial=None)
    with pytest.raises(Thing.DoesNotExist):
        desk.cached().get(pk=None)
    assert desk.cached().get(serial=None).slug == "one"


def test_an_integer_that_no_column_holds_is_missing_without_asking(desk: Desk) -> None:
    with pytest.raises(Thing.DoesNotExist):
        desk.cached().get(serial=2**70)


def test_instances_are_never_shared_between_callers(desk: Desk) -> None:
    pk = desk.thing(data={"list": [1, 2]}).pk
    first = desk.cached().get(pk=pk)
    first.data["list"].append("mine")
    first.name = "changed"
    second = desk.hit(lambda: desk.cached().get(pk=pk))
    second.data["list"].append("his")
    third = desk.hit(lambda: desk.cached().get(pk=pk))
    assert third.data == {"list": [1, 2]}
    assert third.name == "one"
    assert third is not second


def test_the_state_of_an_instance_is_that_of_one_from_the_database(desk: Desk) -> None:
    pk = desk.thing().pk
    desk.warm(lambda: desk.cached().get(pk=pk))
    found = desk.hit(lambda: desk.cached().get(pk=pk))
    assert (found._state.db, found._state.adding, found.get_deferred_fields()) == (desk.alias, False, set())
    found.name = "saved"
    found.save()
    assert desk.plain().get(pk=pk).name == "saved"
    assert desk.cached().get(pk=pk).name == "saved"


def test_proxies_read_the_same_entries_as_their_own_class(desk: Desk) -> None:
    pk = desk.thing().pk
    desk.warm(lambda: desk.cached().get(pk=pk))
    found = desk.hit(lambda: desk.cached(ThingProxy).get(pk=pk))
    assert type(found) is ThingProxy
    with pytest.raises(ThingProxy.DoesNotExist):
        desk.cached(ThingProxy).get(pk=99)
    found.delete()
    with pytest.raises(Thing.DoesNotExist):
        desk.cached().get(pk=pk)


def test_a_row_of_two_tables_is_freed_by_a_write_to_either(desk: Desk) -> None:
    pk = desk.plain(Special).create(slug="s", name="s", extra="x").pk
    read: Read = lambda: desk.cached(Special).get(pk=pk)  # noqa: E731
    by_extra: Read = lambda: desk.cached(Special).get(extra="x")  # noqa: E731
    for form in (read, by_extra, lambda: desk.cached(Special).get(slug="s"), lambda: desk.cached(Special).get(id=pk)):
        assert seen(form()) == seen(desk.plain(Special).get(pk=pk))
        desk.hit(form)
    desk.plain(Thing).filter(pk=pk).update(name="by parent")
    assert (read().name, by_extra().name) == ("by parent", "by parent")
    desk.plain(Special).filter(pk=pk).update(extra="x2")
    assert read().extra == "x2"
    with pytest.raises(Special.DoesNotExist):
        by_extra()
    with pytest.raises(Special.DoesNotExist):
        desk.cached(Special).get(pk=pk + 1)
    made = desk.plain(Special).create(slug="t", name="t", extra="y")
    assert made.pk == pk + 1
    assert desk.cached(Special).get(pk=pk + 1).extra == "y"
    desk.thing("a thing and no more", name="plain")
    with pytest.raises(Special.DoesNotExist):
        desk.cached(Special).get(pk=pk + 2)


def test_a_parent_row_that_becomes_a_child_frees_the_missing_child(desk: Desk) -> None:
    thing = desk.thing()
    with pytest.raises(Special.DoesNotExist):
        desk.cached(Special).get(pk=thing.pk)
    child = Special(thing_ptr=thing, extra="now")
    child.__dict__.update({name: value for name, value in vars(thing).items() if name != "_state"})
    child.save_base(raw=True, using=desk.alias)
    assert desk.cached(Special).get(pk=thing.pk).extra == "now"


def test_a_primary_key_of_two_columns(desk: Desk) -> None:
    desk.plain(Spot).create(row="A", number=1)
    read: Read = lambda: desk.cached(Spot).get(pk=("A", 1))  # noqa: E731
    assert seen(desk.warm(read)) == seen(desk.plain(Spot).get(pk=("A", 1)))
    desk.warm(lambda: desk.cached(Spot).get(row="A"))
    desk.plain(Spot).filter(pk=("A", 1)).update(guest="Ada")
    assert (read().guest, desk.cached(Spot).get(row="A").guest) == ("Ada", "Ada")
    with pytest.raises(Spot.DoesNotExist):
        desk.cached(Spot).get(pk=("B", 1))
    desk.plain(Spot).create(row="B", number=1)
    assert desk.cached(Spot).get(pk=("B", 1)).row == "B"


@pytest.mark.parametrize("value", [decimal.Decimal("1.5"), decimal.Decimal("1.50"), "1.50", 1.5])
def test_a_decimal_primary_key_is_one_however_it_is_written(desk: Desk, value: object) -> None:
    desk.plain(Rate).create(amount=decimal.Decimal("1.50"), text="a")
    assert desk.cached(Rate).get(pk=value).text == "a"
    assert set(desk.cached(Rate).get_many([value, "2.5"])) == {decimal.Decimal("1.5")}
    desk.plain(Rate).filter(text="a").update(text="b")
    assert desk.cached(Rate).get(pk=value).text == "b"
    assert desk.cached(Rate).get_many([value])[decimal.Decimal("1.5")].text == "b"


def test_a_primary_key_that_python_sees_otherwise_than_the_database(desk: Desk) -> None:
    for code in ("a", "b"):
        desk.plain(Coded).create(code=Code(code), text=code)
    for _ in range(2):
        assert desk.cached(Coded).get(pk="a").text == "a"
        assert desk.cached(Coded).get(pk=Code("b")).text == "b"
        assert {code.text: one.text for code, one in desk.cached(Coded).get_many(["a", Code("b"), "c"]).items()} == {"a": "a", "b": "b"}
    desk.plain(Coded).filter(pk="b").update(text="B")
    assert desk.cached(Coded).get_many(["b"])[Code("b")].text == "B"


def test_a_primary_key_that_is_a_relation(desk: Desk) -> None:
    maker = desk.maker()
    desk.plain(Passport).create(maker=maker, number="1")
    for form in ({"pk": maker.pk}, {"maker": maker}, {"maker_id": maker.pk}, {"maker": str(maker.pk)}, {"pk": maker}):
        assert desk.cached(Passport).get(**form).number == "1"
    desk.plain(Passport).update(number="2")
    for form in ({"pk": maker.pk}, {"maker": maker}, {"maker_id": maker.pk}, {"maker": str(maker.pk)}, {"pk": maker}):
        assert desk.cached(Passport).get(**form).number == "2"


def test_a_foreign_key_to_another_column_than_the_pk(desk: Desk) -> None:
    maker, other = desk.maker("A"), desk.maker("B")
    thing = desk.thing(by_code=maker)
    assert [found.pk for found in desk.warm(lambda: list(desk.cached().filter(by_code=maker)))] == [thing.pk]
    assert desk.warm(lambda: list(desk.cached().filter(by_code=other))) == []
    thing.by_code = other
    thing.save()
    assert list(desk.cached().filter(by_code=maker)) == []
    assert [found.pk for found in desk.cached().filter(by_code="b")] == [thing.pk]


def test_a_manager_of_an_abstract_base_belongs_to_each_child(desk: Desk) -> None:
    note = desk.plain(Note).create(text="n")
    assert desk.warm(lambda: desk.cached(Note).get(pk=note.pk)).text == "n"
    assert Note.cached.model is Note
    with pytest.raises(AttributeError, match="abstract"):
        _ = Note.__mro__[1].cached  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="accessible via Note instances"):
        _ = note.cached


def test_a_model_whose_only_manager_is_cached_has_djangos_as_its_default(desk: Desk) -> None:
    assert type(OnlyCached._default_manager).__name__ == "Manager"
    assert not isinstance(OnlyCached._default_manager, CachedManager)
    made = OnlyCached.objects.using(desk.alias).create(text="x")
    assert desk.cached(OnlyCached).get(pk=made.pk) == made


def test_a_model_without_a_policy_is_read_as_ever(desk: Desk) -> None:
    from tests.reading.models import Stranger

    stranger = desk.plain(Stranger).create(thing=desk.thing(), text="x")
    desk.never_cached(lambda: desk.cached(Stranger).get(pk=stranger.pk))
    desk.never_cached(lambda: list(desk.cached(Stranger).all()))
    desk.never_cached(lambda: desk.cached(Stranger).count())


def test_lookups_of_another_model_are_independent(desk: Desk) -> None:
    maker, thing = desk.maker(), desk.thing()
    desk.warm(lambda: desk.cached(Maker).get(code="acme"))
    desk.plain().filter(pk=thing.pk).update(name="x")
    assert desk.hit(lambda: desk.cached(Maker).get(code="acme")).pk == maker.pk
