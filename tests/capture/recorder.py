"""A sink that writes down what it is told, and tags in a form that a test can spell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from cache_consistency.capture.tagging import table_tags
from cache_consistency.declare import tracked
from cache_consistency.protocol.tags import Tag

PREFIX = "capture_tests_"


@dataclasses.dataclass
class Recorder:
    """Each commit with its tags; ``before`` and ``after`` are called round the COMMIT and may fail."""

    commits: list[frozenset[Tag]] = dataclasses.field(default_factory=list)
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    def commit(self, connection: Any, tags: frozenset[Tag], commit: Callable[[], None]) -> None:
        self.before()
        try:
            commit()
        finally:
            self.commits.append(tags)
        self.after()

    def all_tags(self) -> set[Tag]:
        return set().union(*self.commits) if self.commits else set()


def spelled(connection: Any, tags: Iterable[Tag]) -> set[str]:
    """Return tags as ``item row:1``, ``item col:category_id=3``, ``item any``."""
    prefixes = {table_tags(connection, table).prefix: table.removeprefix(PREFIX) for table in tracked.tables()}
    return {f"{prefixes[prefix]} {tag.removeprefix(prefix)}" for tag in tags for prefix in prefixes if tag.startswith(prefix)}
