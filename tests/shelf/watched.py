"""
A store that is watched: at any move of one thread a test can do something else first or afterwards, elsewhere.

That is how an interleaving is played with real connections: not by two threads that hope to meet, but by one whose move has the other's
whole action in its middle.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Sequence
from typing import Any

from cache_consistency.exceptions import StoreError
from cache_consistency.protocol.tags import Keyspace
from cache_consistency.protocol.versions import Taken
from cache_consistency.stores import Epoch, Store, StoreInfo

Action = Callable[[], object]
MOVES = ("get", "aget", "take", "put", "mark", "resolve", "lease", "epoch", "new_epoch")


class WatchedStore:
    """Passes every move on to ``inner``, and counts them; `before` and `after` hang an action on the next move of a kind."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.moves: collections.Counter[str] = collections.Counter()
        self.marked: list[tuple[frozenset[str], str]] = []
        """(tags, token) of each MARK, in their order."""
        self._actions: dict[tuple[int, str, str], collections.deque[Action]] = collections.defaultdict(collections.deque)

    def before(self, move: str, action: Action, *, thread: int | None = None) -> None:
        """Do ``action`` before the next such move of this thread (or of ``thread``); what it raises is what the move raises."""
        self._hang("before", move, action, thread)

    def after(self, move: str, action: Action, *, thread: int | None = None) -> None:
        """Do ``action`` after the next such move was carried out, before its answer is heard."""
        self._hang("after", move, action, thread)

    def _hang(self, when: str, move: str, action: Action, thread: int | None) -> None:
        assert move in MOVES, move
        self._actions[thread or threading.get_ident(), when, move].append(action)

    def waiting(self) -> list[str]:
        """Return what was hung up and never happened."""
        return [f"{when} {move}" for (_, when, move), actions in self._actions.items() for _ in actions]

    def _do(self, move: str, call: Callable[[], Any]) -> Any:
        self.moves[move] += 1
        self._act("before", move)
        answer = call()
        self._act("after", move)
        return answer

    def _act(self, when: str, move: str) -> None:
        actions = self._actions.get((threading.get_ident(), when, move))
        if actions:
            actions.popleft()()

    @property
    def shared(self) -> bool:
        return self.inner.shared

    @property
    def keyspace(self) -> Keyspace:
        return self.inner.keyspace

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        answer: list[bytes | None] = self._do("get", lambda: self.inner.get(keys))
        return answer

    async def aget(self, keys: Sequence[str]) -> list[bytes | None]:
        self.moves["aget"] += 1
        self._act("before", "aget")
        answer = await self.inner.aget(keys)
        self._act("after", "aget")
        return answer

    def take(self, tags: Sequence[str]) -> Taken:
        answer: Taken = self._do("take", lambda: self.inner.take(tags))
        return answer

    def put(self, entries: Sequence[tuple[str, bytes]], *, ttl: float) -> None:
        self._do("put", lambda: self.inner.put(entries, ttl=ttl))

    def mark(self, tags: Sequence[str], token: str, *, ttl: float) -> None:
        self.marked.append((frozenset(tags), token))
        self._do("mark", lambda: self.inner.mark(tags, token, ttl=ttl))

    def resolve(self, tags: Sequence[str], token: str) -> int:
        answer: int = self._do("resolve", lambda: self.inner.resolve(tags, token))
        return answer

    def resolve_soon(self, tags: Sequence[str], token: str, on_answer: Callable[[int | StoreError], None]) -> None:
        self._do("resolve", lambda: self.inner.resolve_soon(tags, token, on_answer))

    def flush_replies(self) -> None:
        self.inner.flush_replies()

    def lease(self, key: str, *, ttl: float) -> bool:
        answer: bool = self._do("lease", lambda: self.inner.lease(key, ttl=ttl))
        return answer

    def epoch(self) -> Epoch:
        answer: Epoch = self._do("epoch", self.inner.epoch)
        return answer

    def new_epoch(self) -> Epoch:
        answer: Epoch = self._do("new_epoch", self.inner.new_epoch)
        return answer

    def info(self) -> StoreInfo:
        return self.inner.info()

    def forget(self) -> None:
        self.inner.forget()
