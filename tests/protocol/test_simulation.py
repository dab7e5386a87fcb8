"""
Every order of one reader and one writer, and random orders of more with all that can go wrong; and each rule that is broken is found.

A failure is played again by its seed: ``random_run(<seed>, faults=<faults>)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest

from cache_consistency.exceptions import StoreError
from cache_consistency.protocol import entries, wishes
from cache_consistency.protocol.questions import Loaded, Question
from cache_consistency.protocol.steps import write
from cache_consistency.protocol.tags import Tag
from cache_consistency.protocol.versions import Taken
from cache_consistency.protocol.wishes import Steps
from tests.protocol.simulation import Faults, Rules, every_order, random_run
from tests.protocol.world import ToyStore

EVERYTHING = Faults(unanswered=0.02, lost_acknowledgement=0.1, killed=0.02, flushed=0.003)
KINDS = {
    "nothing": Faults(),
    "unanswered": Faults(unanswered=0.05),
    "lost acknowledgements": Faults(lost_acknowledgement=0.5),
    "killed writers": Faults(killed=0.05),
    "flushes": Faults(flushed=0.01),
    "everything": EVERYTHING,
}


def test_no_order_of_a_reader_and_a_writer_shows_a_stale_row() -> None:
    reports = list(every_order())
    assert len(reports) > 1000
    assert all(report.is_clean for report in reports)
    assert any(report.hits for report in reports)


@pytest.mark.parametrize("kind", KINDS)
def test_no_random_order_shows_a_stale_row(kind: str) -> None:
    hits = 0
    for seed in range(100):
        report = random_run(seed, faults=KINDS[kind])
        assert report.is_clean, (seed, report.findings)
        hits += report.hits
    assert hits > 100


def unmarked_write(tags: tuple[Tag, ...], *, mark_ttl: float) -> Steps[None]:
    """Invalidate after COMMIT and nothing before it: what most caches do."""
    token = cast("str", (yield wishes.NewToken()))
    yield wishes.Commit()
    yield wishes.Resolve(tags, token)


def early_write(tags: tuple[Tag, ...], *, mark_ttl: float) -> Steps[None]:
    """Invalidate before COMMIT only."""
    token = cast("str", (yield wishes.NewToken()))
    yield wishes.Resolve(tags, token)
    yield wishes.Commit()


def late_taking_fetch(question: Question, epoch_key: str, *, ttl: float) -> Steps[bytes | Loaded]:
    """Take the versions after the database has answered."""
    try:
        raw, *states, epoch = cast("list[bytes | None]", (yield wishes.Get((question.key, *question.tags, epoch_key))))
        answer = entries.validate(raw, states, epoch, question.canonical)
        if isinstance(answer, bytes):
            return answer
        loaded = cast("Loaded", (yield wishes.Load((0,))))
        taken = cast("Taken", (yield wishes.Take(question.tags)))
    except StoreError:
        return cast("Loaded", (yield wishes.Load((0,))))
    if taken.storable and loaded.payloads[0] is not None:
        packed = entries.pack(loaded.payloads[0].data, epoch=taken.epoch, states=taken.states, canonical=question.canonical)
        yield wishes.Put(((question.key, packed),), ttl)
    return loaded


def trusting_fetch(question: Question, epoch_key: str, *, ttl: float) -> Steps[bytes | Loaded]:
    """Store what was loaded under a tag that was pending, with whatever version it has afterwards."""
    taken: Taken | None = None
    raw, *states, epoch = cast("list[bytes | None]", (yield wishes.Get((question.key, *question.tags, epoch_key))))
    answer = entries.validate(raw, states, epoch, question.canonical)
    if isinstance(answer, bytes):
        return answer
    loaded = cast("Loaded", (yield wishes.Load((0,))))
    while taken is None or not taken.storable:
        taken = cast("Taken", (yield wishes.Take(question.tags)))
    payload = loaded.payloads[0]
    assert payload is not None
    packed = entries.pack(payload.data, epoch=taken.epoch, states=taken.states, canonical=question.canonical)
    yield wishes.Put(((question.key, packed),), ttl)
    return loaded


class KeptVersion(ToyStore):
    """RESOLVE opens a tag under the version that it had before."""

    def resolve(self, tags: Iterable[Tag], token: str) -> int:
        before = {tag: self.pending[tag][0] for tag in tags if tag in self.pending}
        found = super().resolve(tags, token)
        self.clean.update({tag: b"c" + base for tag, base in before.items() if base and tag in self.clean})
        return found


MUTANTS: dict[str, tuple[Rules, Faults]] = {
    "invalidation after COMMIT, no mark": (Rules(write=unmarked_write), Faults(killed=0.05)),
    "invalidation before COMMIT": (Rules(write=early_write), Faults()),
    "versions taken after the query": (Rules(fetch=late_taking_fetch), Faults()),
    "stored although a tag was pending": (Rules(fetch=trusting_fetch), Faults()),
    "RESOLVE keeps the version": (Rules(store=KeptVersion), Faults()),
}

@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_that_is_broken_shows(name: str) -> None:
    rules, faults = MUTANTS[name]
    assert any(random_run(seed, rules=rules, faults=faults).stale for seed in range(300))


def test_the_write_under_test_is_the_one_that_is_shipped() -> None:
    assert Rules().write is write
