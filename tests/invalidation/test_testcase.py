"""``entries_invalidated`` inside Django's ``TestCase``, whose transaction is never committed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.test import TestCase

from cache_consistency import entries_invalidated
from cache_consistency.testing.activation import active_cache
from tests.reading.models import Thing


class SignalInTestCase(TestCase):
    thing: Thing

    @classmethod
    def setUpTestData(cls) -> None:
        cls.thing = Thing.objects.create(slug="a", name="a")

    def setUp(self) -> None:
        self.enterContext(active_cache())
        self.heard: list[str] = []
        entries_invalidated.connect(self.hear)
        self.addCleanup(entries_invalidated.disconnect, self.hear)

    def hear(self, sender: Any, reason: str, **kwargs: Any) -> None:
        self.heard.append(f"{sender.__name__} {reason} {Thing.cached.get(pk=self.thing.pk).stock}")

    def test_a_write_in_autocommit_is_told_at_once(self) -> None:
        Thing.objects.update(stock=1)
        assert self.heard == ["Thing commit 1"]

    def test_a_block_is_told_of_when_it_ends(self) -> None:
        with transaction.atomic():
            with transaction.atomic():
                Thing.objects.update(stock=2)
            assert self.heard == []
        assert self.heard == ["Thing commit 2"]

    def test_callbacks_that_a_test_captures_are_its_own(self) -> None:
        def before() -> None: ...
        def inside() -> None: ...
        transaction.on_commit(before)
        with self.captureOnCommitCallbacks() as callbacks:
            Thing.objects.update(stock=3)
            with transaction.atomic():
                Thing.objects.update(stock=4)
                transaction.on_commit(inside)
        assert callbacks == [inside]
        assert self.heard == ["Thing commit 3", "Thing commit 4"]
