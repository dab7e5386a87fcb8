"""``entries_invalidated``: who hears what, when."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from cache_consistency import entries_invalidated, events, invalidate
from cache_consistency.capture.tagging import table_tags
from tests.reading.desk import Desk
from tests.reading.models import Maker, Thing


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    signals: list[dict[str, Any]] = []

    def receiver(**kwargs: Any) -> None:
        kwargs.pop("signal")
        signals.append(kwargs)

    entries_invalidated.connect(receiver)
    yield signals
    entries_invalidated.disconnect(receiver)


def test_a_commit_is_told_once_for_each_model_with_its_tags(desk: Desk, heard: list[dict[str, Any]]) -> None:
    with desk.atomic():
        maker = desk.maker()
        thing = desk.thing("a", maker=maker)
        desk.plain().filter(pk=thing.pk).update(stock=1)
        assert heard == []
    assert sorted(one["sender"].__name__ for one in heard) == ["Maker", "Thing"]
    for one in heard:
        assert (set(one), one["reason"], one["using"]) == ({"sender", "tags", "reason", "using"}, "commit", desk.alias)
        tags = table_tags(desk.connection, one["sender"]._meta.db_table)
        assert all(tag.startswith(tags.prefix) for tag in one["tags"])
        assert tags.any in one["tags"]
    of_thing = next(one["tags"] for one in heard if one["sender"] is Thing)
    assert table_tags(desk.connection, Thing._meta.db_table).row(str(thing.pk)) in of_thing


def test_a_rollback_and_an_untracked_table_are_told_to_nobody(desk: Desk, heard: list[dict[str, Any]]) -> None:
    from tests.reading.models import Stranger

    thing = desk.thing("a")
    heard.clear()
    desk.plain(Stranger).create(thing=thing, text="x")
    with desk.rolled_back():
        thing.save()
    assert heard == []


def test_a_request_and_a_rule_name_themselves(desk: Desk, heard: list[dict[str, Any]], rules: Any) -> None:
    thing, maker = desk.thing("a"), desk.maker()
    heard.clear()
    invalidate(thing)
    assert [(one["sender"], one["reason"]) for one in heard] == [(Thing, "request")]
    rules(Maker, lambda maker, *, action, using: [thing])
    heard.clear()
    maker.save()
    assert {(one["sender"], one["reason"]) for one in heard} == {(Maker, "commit"), (Thing, "rule")}


def test_receivers_hear_of_it_when_readers_get_the_new_row_and_before_on_commit_hooks(desk: Desk) -> None:
    order: list[Any] = []
    thing = desk.thing("a")
    desk.cached().get(pk=thing.pk)

    def receiver(**kwargs: Any) -> None:
        order.append(desk.cached().get(pk=thing.pk).stock)

    entries_invalidated.connect(receiver, sender=Thing)
    try:
        with desk.atomic():
            transaction.on_commit(lambda: order.append("hook"), using=desk.alias)
            desk.plain().filter(pk=thing.pk).update(stock=7)
    finally:
        entries_invalidated.disconnect(receiver, sender=Thing)
    assert order == [7, "hook"]


def test_a_receiver_that_fails_is_logged_and_harms_neither_the_writer_nor_the_others(
    desk: Desk, heard: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**kwargs: Any) -> None:
        raise ZeroDivisionError("in a receiver")

    entries_invalidated.connect(broken)
    try:
        with caplog.at_level(logging.ERROR, logger="cache_consistency"):
            thing = desk.thing("a")
    finally:
        entries_invalidated.disconnect(broken)
    assert desk.cached().get(pk=thing.pk) == thing
    assert len(heard) == 1
    assert events.total("receiver_error") == 1
    assert "receiver" in caplog.text
