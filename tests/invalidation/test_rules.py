"""The registry: rules, fed by Django's signals, that say what else goes stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from cache_consistency import invalidates
from cache_consistency.invalidation.receivers import _UID
from cache_consistency.invalidation.registry import Registry, registry
from tests.reading.desk import Desk, Read
from tests.reading.models import Maker, Note, Person, Special, Tag, Thing, ThingProxy


def test_a_rule_invalidates_what_no_sql_shows(desk: Desk, rules: Any) -> None:
    """A note about the makers is kept in a text; saving a maker makes it stale."""
    note, other = desk.plain(Note).create(text="about"), desk.plain(Note).create(text="other")
    rules(Maker, lambda maker, *, action, using: [f"reading_tests.Note:{note.pk}"])
    maker = desk.maker()
    reads: Read = lambda: (desk.cached(Note).get(pk=note.pk), desk.cached(Note).get(pk=other.pk))  # noqa: E731
    writes: list[Any] = [maker.save, lambda: desk.maker("New"), lambda: desk.plain(Maker).filter(pk=maker.pk).delete()]
    for write in writes:
        reads()
        desk.hit(reads)
        write()
        desk.missed(lambda: desk.cached(Note).get(pk=note.pk))
        desk.hit(lambda: desk.cached(Note).get(pk=other.pk))


@pytest.mark.parametrize("committed", [True, False])
def test_in_a_transaction_a_rule_acts_at_the_commit(desk: Desk, rules: Any, *, committed: bool) -> None:
    note = desk.plain(Note).create(text="about")
    rules(Maker, lambda maker, *, action, using: [note])
    maker = desk.maker()
    desk.warm(lambda: desk.cached(Note).get(pk=note.pk))
    with desk.atomic() if committed else desk.rolled_back():
        maker.save()
    _, queries = desk.asked(lambda: desk.cached(Note).get(pk=note.pk))
    assert queries == (1 if committed else 0)


def test_a_rule_is_asked_before_and_after_so_that_both_sides_of_a_move_go_stale(desk: Desk, rules: Any) -> None:
    old, new = desk.plain(Note).create(text="old"), desk.plain(Note).create(text="new")
    notes = {"old": old, "new": new}

    def rule(maker: Maker, *, action: str, using: str) -> list[Note]:
        current = Maker.objects.using(using).filter(pk=maker.pk).values_list("name", flat=True)
        return [notes[name] for name in current]

    maker = desk.maker("old")
    rules(Maker, rule)
    for note in notes.values():
        desk.warm(desk.cached(Note).get, pk=note.pk)
    maker.name = "new"
    maker.save()
    for note in notes.values():
        desk.missed(desk.cached(Note).get, pk=note.pk)


def test_rules_are_told_what_happens_and_where(desk: Desk, rules: Any) -> None:
    told: list[tuple[Any, str, str]] = []
    rules(Thing, lambda thing, *, action, using: told.append((thing.slug, action, using)))
    thing, tag = desk.thing("a"), desk.tag("red")
    thing.tags.add(tag)
    thing.delete()
    assert {(slug, using) for slug, _, using in told} == {("a", desk.alias)}
    assert [action for _, action, _ in told] == ["save", "m2m", "m2m", "delete", "delete"]


def test_changes_of_many_to_many_reach_the_rules_of_both_sides(desk: Desk, rules: Any) -> None:
    told: list[str] = []
    rules(Thing, lambda thing, *, action, using: told.append(thing.slug))
    rules(Tag, lambda tag, *, action, using: told.append(tag.word))
    things, tags = [desk.thing("a"), desk.thing("b")], [desk.tag("red"), desk.tag("blue")]
    changes: list[tuple[Any, set[str]]] = [
        (lambda: things[0].tags.add(*tags), {"a", "red", "blue"}), (lambda: things[0].tags.remove(tags[0]), {"a", "red"}),
        (lambda: tags[0].things.add(*things), {"a", "b", "red"}), (lambda: tags[0].things.clear(), {"a", "b", "red"}),
        (lambda: things[0].tags.set([tags[0]]), {"a", "red", "blue"}), (lambda: things[0].tags.clear(), {"a", "red"}),
    ]  # fmt: skip
    for number, (change, concerned) in enumerate(changes):
        told.clear()
        change()
        assert set(told) == concerned, number


@pytest.mark.parametrize(
    ("clear", "concerned"),
    [
        (lambda people: people["b"].followers.clear(), {"a", "b"}), (lambda people: people["b"].follows.clear(), {"b", "c"}),
        (lambda people: people["a"].follows.clear(), {"a", "b"}), (lambda people: people["c"].followers.clear(), {"b", "c"}),
        (lambda people: people["b"].friends.clear(), {"b", "c"}), (lambda people: people["c"].friends.clear(), {"b", "c"}),
    ],
)  # fmt: skip
def test_clearing_a_relation_of_a_model_to_itself_reaches_the_other_end(
    desk: Desk, rules: Any, clear: Callable[[dict[str, Person]], None], concerned: set[str]
) -> None:
    """a follows b, b follows c; b and c are friends."""
    people = {name: desk.plain(Person).create(name=name) for name in "abc"}
    people["a"].follows.add(people["b"])
    people["b"].follows.add(people["c"])
    people["b"].friends.add(people["c"])
    told: list[str] = []
    rules(Person, lambda person, *, action, using: told.append(person.name))
    clear(people)
    assert set(told) == concerned


def test_a_rule_of_a_model_holds_for_its_proxies_and_children(desk: Desk, rules: Any) -> None:
    told: list[str] = []
    rules(Thing, lambda thing, *, action, using: told.append(type(thing).__name__))
    ThingProxy.objects.using(desk.alias).create(slug="p", name="p")
    desk.plain(Special).create(slug="s", name="s", extra="e")
    assert set(told) == {"ThingProxy", "Special"}


def ours(signal: Any, sender: Any) -> bool:
    """Whether a receiver of the registry is connected; others may listen in this process, to every model perhaps."""
    return any(key == (_UID, id(sender)) for key, *_ in signal.receivers)


def test_receivers_connect_only_for_ruled_models(rules: Any) -> None:
    signals = (pre_save, post_save, post_delete)
    assert not any(ours(signal, Maker) for signal in signals)
    rules(Maker, lambda maker, *, action, using: None)
    assert all(ours(signal, Maker) for signal in signals)
    assert not any(ours(signal, Note) for signal in signals)
    assert not ours(m2m_changed, Thing.tags.through)
    before = [len(signal.receivers) for signal in signals]
    rules(Maker, lambda maker, *, action, using: ())
    assert [len(signal.receivers) for signal in signals] == before


def test_without_the_app_acting_no_rule_is_asked(make_desk: Any, rules: Any) -> None:
    told: list[str] = []
    rules(Maker, lambda maker, *, action, using: told.append(action))
    desk: Desk = make_desk(ENABLED=False)
    desk.maker().delete()
    assert told == []


def test_what_a_rule_raises_reaches_whoever_saves(desk: Desk, rules: Any) -> None:
    def broken(maker: Maker, *, action: str, using: str) -> None:
        raise ZeroDivisionError

    rules(Maker, broken)
    with pytest.raises(ZeroDivisionError):
        desk.maker()


def test_loaddata_feeds_the_rules(desk: Desk, rules: Any) -> None:
    note = desk.plain(Note).create(text="about")
    rules(Maker, lambda maker, *, action, using: [note])
    maker = desk.maker()
    text = serializers.serialize("json", [maker])
    desk.warm(lambda: desk.cached(Note).get(pk=note.pk))
    for loaded in serializers.deserialize("json", text, using=desk.alias):
        loaded.save(using=desk.alias)
    desk.missed(lambda: desk.cached(Note).get(pk=note.pk))


def test_the_decorator_registers_and_returns_the_function() -> None:
    def rule(tag: Tag, *, action: str, using: str) -> None:
        return None

    try:
        assert invalidates(Tag)(rule) is rule
        invalidates(Tag)(rule)
        assert registry.has_rules(Tag)
    finally:
        registry.remove(Tag, rule)
    assert not registry.has_rules(Tag)


def test_rules_that_come_before_the_app_is_ready_are_connected_then() -> None:
    connected: list[Any] = []
    own = Registry()
    own.add(Maker, lambda maker, *, action, using: None)
    own.on_register(connected.append)
    own.add(Tag, lambda tag, *, action, using: None)
    own.remove(Tag, lambda: None)
    assert connected == [Maker, Tag]
