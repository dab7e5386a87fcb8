"""
READ, MISS and WRITE as conversations; `recovery` has RECOVER.

READ    one command reads entry, tags and epoch at one instant. A hit needs every tag clean and equal to what it was before the entry's
        data was read, and the same epoch.
MISS    TAKE the versions first, then ask the database: a write that commits in between gives its tags new versions, and the entry never
        validates. A late fill is harmless by construction.
WRITE   tags are pending before COMMIT and have new versions after it, whatever its outcome; in doubt they are new.

Source: Ghandeharizadeh & Yap, "Strong Consistency in Cache Augmented SQL Systems", Middleware 2014 (quarantine leases); here with a set of
tokens in each tag, and an epoch for the store's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from cache_consistency.exceptions import StoreError
from cache_consistency.protocol import entries, wishes
from cache_consistency.protocol.entries import MAX_TAGS, Miss
from cache_consistency.protocol.questions import Answers, Loaded, Question
from cache_consistency.protocol.tags import Tag
from cache_consistency.protocol.versions import State, Taken
from cache_consistency.protocol.wishes import Steps

EVERYTHING = (0,)


def fetch(question: Question, epoch_key: str, *, ttl: float) -> Steps[bytes | Loaded]:
    """Answer one question: the payload of a hit, or what the database said."""
    tags = question.tags + question.also
    try:
        raw, *states, epoch = cast("list[bytes | None]", (yield wishes.Get((question.key, *tags, epoch_key))))
    except StoreError:
        yield wishes.Missed(Miss.UNAVAILABLE, tags, ())
        return cast("Loaded", (yield wishes.Load(EVERYTHING)))
    answer = entries.validate(raw, states, epoch, question.canonical, short=len(question.tags) if question.also else None)
    if isinstance(answer, bytes):
        return answer
    yield wishes.Missed(answer, tags, tuple(states))
    return (yield from fill((question,), EVERYTHING, ttl=ttl))


def fetch_many(questions: Sequence[Question], epoch_key: str, *, ttl: float) -> Steps[Answers]:
    """Answer n questions with one command, and ask the database at most once for all that are misses."""
    tags = _union(questions)
    try:
        found = cast("list[bytes | None]", (yield wishes.Get((*(question.key for question in questions), *tags, epoch_key))))
    except StoreError:
        yield wishes.Missed(Miss.UNAVAILABLE, tags, ())
        everything = tuple(range(len(questions)))
        return Answers((None,) * len(questions), everything, cast("Loaded", (yield wishes.Load(everything))))
    payloads, missed = _validate_many(questions, dict(zip(tags, found[len(questions):-1], strict=True)), found)
    if not missed:
        return Answers(payloads)
    wanted = tuple(missed)
    for index in wanted:
        yield missed[index]
    return Answers(payloads, wanted, (yield from fill(questions, wanted, ttl=ttl)))


def fill(questions: Sequence[Question], wanted: tuple[int, ...], *, ttl: float) -> Steps[Loaded]:
    """
    Ask the database and store what may be stored.

    Everything that the answer can depend on is taken before the query, also what only a missing row would need: a tag learned from the
    result would have to be taken and the query repeated.
    """
    tags = _union([questions[index] for index in wanted if _is_narrow(questions[index])])
    taken: Taken | None = None
    if tags and (yield wishes.MayStore()):
        try:
            taken = cast("Taken", (yield wishes.Take(tags)))
        except StoreError:
            taken = None
    loaded = cast("Loaded", (yield wishes.Load(wanted)))
    if taken is not None and taken.storable and (yield wishes.MayStore()):
        stands = dict(zip(tags, taken.states, strict=True))
        made = _entries([questions[index] for index in wanted], loaded, taken.epoch, stands)
        if made:
            yield wishes.Put(made, ttl)
    return loaded


def write(tags: tuple[Tag, ...], *, mark_ttl: float) -> Steps[None]:
    """
    Bracket one COMMIT: pending before it, new versions after it.

    A MARK that got no answer may have arrived, so its RESOLVE is owed like any other, also when the commit is refused or interrupted.
    What COMMIT raises leaves these steps as it was, after RESOLVE: its acknowledgement may be what was lost. Nothing else leaves them
    after COMMIT.
    """
    token = cast("str", (yield wishes.NewToken()))
    marked = False
    try:
        marked = yield from _mark(tags, token, mark_ttl=mark_ttl)
        yield wishes.Commit()
    finally:
        yield from _resolve(tags, token, marked=marked)


def touch(tags: tuple[Tag, ...]) -> Steps[None]:
    """Give tags new versions outside any transaction: what was cached under them before is never served again."""
    token = cast("str", (yield wishes.NewToken()))
    yield from _resolve(tags, token, marked=False)


def _mark(tags: tuple[Tag, ...], token: str, *, mark_ttl: float) -> Steps[bool]:
    try:
        yield wishes.Mark(tags, token)
        if cast("float", (yield wishes.MarkAge())) > mark_ttl / 4:
            yield wishes.Mark(tags, token)                          # a slow answer or a suspended process has eaten the mark's life
    except StoreError as error:
        yield wishes.Unmarked(tags, token, error)
        return False
    return True


def _resolve(tags: tuple[Tag, ...], token: str, *, marked: bool) -> Steps[None]:
    try:
        found = cast("int", (yield wishes.Resolve(tags, token)))
    except BaseException as error:                                  # also KeyboardInterrupt: nobody else would ever resolve it
        yield wishes.Owe(tags, token, marked)
        if isinstance(error, StoreError):
            return
        raise
    if marked and found < len(tags):
        yield wishes.LostMarks(len(tags), found)


def _union(questions: Sequence[Question]) -> tuple[Tag, ...]:
    return tuple(dict.fromkeys(tag for question in questions for tag in question.tags + question.also))


def _validate_many(
    questions: Sequence[Question], states: dict[Tag, State | None], found: Sequence[bytes | None]
) -> tuple[tuple[bytes | None, ...], dict[int, wishes.Missed]]:
    """Return n payloads, None where there is no hit, and what to tell of each that is none, by its index."""
    payloads: list[bytes | None] = []
    missed: dict[int, wishes.Missed] = {}
    for index, (question, raw) in enumerate(zip(questions, found, strict=False)):
        tags = question.tags + question.also
        asked = tuple(states[tag] for tag in tags)
        answer = entries.validate(raw, asked, found[-1], question.canonical, short=len(question.tags) if question.also else None)
        if isinstance(answer, Miss):
            missed[index] = wishes.Missed(answer, tags, asked)
            payloads.append(None)
        else:
            payloads.append(answer)
    return tuple(payloads), missed


def _is_narrow(question: Question) -> bool:
    return len(question.tags) + len(question.also) <= MAX_TAGS


def _entries(
    asked: Sequence[Question], loaded: Loaded, epoch: bytes, stands: dict[Tag, State]
) -> tuple[tuple[str, bytes], ...]:
    made = []
    for question, payload in zip(asked, loaded.payloads, strict=True):
        if payload is not None and _is_narrow(question):
            tags = question.tags + question.also if payload.missing else question.tags
            states = [stands[tag] for tag in tags]
            made.append((question.key, entries.pack(payload.data, epoch=epoch, states=states, canonical=question.canonical)))
    return tuple(made)
