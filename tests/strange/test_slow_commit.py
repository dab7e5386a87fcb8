"""A COMMIT that lasts longer than its mark: the mark protects nobody any more, so the answer to RESOLVE is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from cache_consistency.exceptions import StoreUnavailable
from tests.shelf.stage import DEADLINE, Stage


def test_a_writer_that_outlived_its_mark_does_not_return_before_its_resolve(
    make_stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """t=0 MARK; t=1 the mark's deadline passes; t=2 a reader fills; t=3 COMMIT; t=4 the writer returns, a RESOLVE is still on its way."""
    stage = make_stage(MARK_TTL=0.05, QUARANTINE=0.05)
    pk = stage.book().pk
    really_commit = stage.connection._commit

    def commit_late() -> None:
        if stage.store.marked and not filled:
            until = time.monotonic() + DEADLINE
            while not filled and time.monotonic() < until:
                filled.extend(stage.elsewhere(lambda: [1] if stage.is_served(pk) else []))
        really_commit()
    stage.store.marked.clear()
    filled: list[int] = []
    monkeypatch.setattr(stage.connection, "_commit", commit_late)
    monkeypatch.setattr(stage.store.inner, "resolve_soon", lambda tags, token, on_answer: None)
    with stage.atomic():
        stage.books.filter(pk=pk).update(version=2)
    assert filled, "the reader was served what it had filled after the mark had ended"
    assert stage.elsewhere(lambda: stage.version(pk)) == 2


def test_a_mark_that_was_not_renewed_counts_as_none(make_stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    """t=0 MARK; t=1 its answer has eaten a quarter of its life; t=2 the second MARK gets no answer; t=3 COMMIT, and RESOLVE on its way."""
    stage = make_stage(MARK_TTL=0.05, QUARANTINE=0.05)
    pk = stage.book().pk

    def grow_old() -> None:
        until = time.monotonic() + 0.05 / 3
        while time.monotonic() < until:
            pass

    def fail() -> None:
        raise StoreUnavailable("no answer")
    waited_for: list[int] = []
    resolve = stage.store.inner.resolve

    def counted(tags: Any, token: str) -> int:
        waited_for.append(1)
        return resolve(tags, token)
    monkeypatch.setattr(stage.store.inner, "resolve", counted)
    with stage.atomic():
        stage.books.filter(pk=pk).update(version=2)
        stage.store.after("mark", grow_old)
        stage.store.before("mark", lambda: None)                     # the first
        stage.store.before("mark", fail)
    assert waited_for == [1]
