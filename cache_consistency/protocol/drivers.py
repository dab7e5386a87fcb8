"""Drivers: ten lines that put wishes before a shell and its answers, or errors, before the steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cache_consistency.protocol.wishes import Result, Steps, Wish


def run(steps: Steps[Result], answer: Callable[[Wish], Any]) -> Result:
    """Drive ``steps`` to their end; ``answer`` fulfils one wish, and what it raises is raised inside the steps."""
    send: Callable[[Any], Wish] = steps.send
    value: Any = None
    while True:
        try:
            wish = send(value)
        except StopIteration as end:
            result: Result = end.value
            return result
        try:
            value, send = answer(wish), steps.send
        except BaseException as error:                              # also KeyboardInterrupt: a mark must not stay behind
            value, send = error, steps.throw


async def arun(steps: Steps[Result], answer: Callable[[Wish], Awaitable[Any]]) -> Result:
    """Do as `run`, with a shell whose answers are awaited."""
    send: Callable[[Any], Wish] = steps.send
    value: Any = None
    while True:
        try:
            wish = send(value)
        except StopIteration as end:
            result: Result = end.value
            return result
        try:
            value, send = await answer(wish), steps.send
        except BaseException as error:                              # also CancelledError
            value, send = error, steps.throw
