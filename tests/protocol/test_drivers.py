"""Both drivers answer wishes alike, and put errors where they belong: into the steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cache_consistency.protocol import wishes
from cache_consistency.protocol.drivers import arun, run
from cache_consistency.protocol.wishes import Steps, Wish


def run_async(steps: Steps[Any], answer: Callable[[Wish], Any]) -> Any:
    async def awaited(wish: Wish) -> Any:
        await asyncio.sleep(0)
        return answer(wish)
    return asyncio.run(arun(steps, awaited))


both = pytest.mark.parametrize("drive", [run, run_async])


def conversation() -> Steps[list[Any]]:
    heard: list[Any] = []
    heard.append((yield wishes.MayStore()))
    try:
        heard.append((yield wishes.NewToken()))
    except (LookupError, KeyboardInterrupt) as error:
        heard.append(type(error))
    heard.append((yield wishes.Commit()))
    return heard


@both
def test_each_wish_is_answered_in_turn(drive: Callable[..., Any]) -> None:
    answers = {wishes.MayStore(): True, wishes.NewToken(): "t", wishes.Commit(): None}
    assert drive(conversation(), answers.__getitem__) == [True, "t", None]


@both
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_what_an_answer_raises_is_raised_inside_the_steps_which_go_on(drive: Callable[..., Any], error: Any) -> None:
    def answer(wish: Wish) -> object:
        if isinstance(wish, wishes.NewToken):
            raise error
        return 1
    assert drive(conversation(), answer) == [1, error, 1]


@both
def test_what_the_steps_do_not_catch_is_the_callers(drive: Callable[..., Any]) -> None:
    def answer(wish: Wish) -> object:
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        drive(conversation(), answer)


def test_a_cancelled_task_resolves_before_it_ends() -> None:
    made: list[type[Wish]] = []

    def steps() -> Steps[None]:
        try:
            yield wishes.Commit()
        finally:
            yield wishes.Resolve((), "t")

    async def answer(wish: Wish) -> None:
        made.append(type(wish))
        if isinstance(wish, wishes.Commit):
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.ensure_future(arun(steps(), answer))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert made == [wishes.Commit, wishes.Resolve]
