"""Fields that send something else to the database than they were given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.shelf.stage import Stage
from tests.strange.models import Folded, cached_in


def test_a_field_that_changes_its_value_on_the_way_is_no_precise_lookup(stage: Stage) -> None:
    """A reader knows what it asked for, a writer what the database holds: only the field could say that they are the same."""
    Folded.objects.using(stage.database).create(code="ABC")
    cached = cached_in(stage.database, Folded)
    reads: list[Callable[[], Any]] = [lambda: cached.get(code="ABC").version, lambda: cached.filter(code="AbC").first().version]
    for read in reads:
        before = read()
        read()
        Folded.objects.using(stage.database).update(version=before + 1)
        assert read() == before + 1
