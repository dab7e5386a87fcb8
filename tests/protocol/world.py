"""
A toy world in which the steps are played one by one: a store that does what the scripts do, and a database of committed versions.

Time is a number that only the test moves. Nothing here is random: a version is the next number, written to the fixed width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.protocol import wishes
from cache_consistency.protocol.questions import Loaded, Payload, Question
from cache_consistency.protocol.tags import Keyspace, Tag
from cache_consistency.protocol.versions import EPOCH_LENGTH, VERSION_LENGTH, State, Taken, is_clean
from cache_consistency.protocol.wishes import Steps, Wish

KEYS = Keyspace("cc")
BOOKS = KEYS.table("d41d8cd9", "shop_book")
EPOCH = KEYS.epoch


class ServerClosedTheConnection(Exception):
    """What a database driver raises when the acknowledgement of a COMMIT did not come."""


class Refused(Exception):
    """The database said no."""


class Killed(BaseException):
    """Ends steps whose process is gone."""


class ToyStore:
    """One server: strings with deadlines, marks as sets of tokens, an epoch; ``down`` makes every command fail unanswered."""

    def __init__(self, *, quarantine: float = 0.0) -> None:
        self.now = 1000.0
        self.down = False
        self.quarantine = quarantine
        self.entries: dict[str, bytes] = {}
        self.clean: dict[Tag, State] = {}
        self.pending: dict[Tag, tuple[bytes, dict[str, float]]] = {}
        self._drawn = 0
        self._new_epoch()

    def flush(self) -> None:
        """Forget everything, as FLUSHALL and a restart without a dump do."""
        for memory in (self.entries, self.clean, self.pending):
            memory.clear()
        self._new_epoch()

    def _new_epoch(self) -> None:
        self.epoch, self.epoch_made = b"%0*d" % (EPOCH_LENGTH, self._draw()), self.now

    def _draw(self) -> int:
        self._drawn += 1
        return self._drawn

    def _version(self) -> bytes:
        return b"%0*d" % (VERSION_LENGTH, self._draw())

    def state(self, tag: Tag) -> State | None:
        if tag in self.pending:
            base, tokens = self.pending[tag]
            return b"p" + base + b";" + b"".join(f"{token},{deadline:.0f};".encode() for token, deadline in tokens.items())
        return self.clean.get(tag)

    def get(self, keys: Iterable[str]) -> list[bytes | None]:
        known = {EPOCH: self.epoch + b":0:0"}
        return [known.get(key) or self.entries.get(key) or self.state(key) for key in keys]

    def take(self, tags: Iterable[Tag]) -> Taken:
        for tag in tags:
            if tag in self.pending:
                self._prune(tag)
            elif tag not in self.clean:
                self.clean[tag] = b"c" + self._version()
        states = tuple(self.state(tag) or b"" for tag in tags)
        settled = self.now - self.epoch_made >= self.quarantine
        return Taken(self.epoch, settled and all(map(is_clean, states)), states)

    def _prune(self, tag: Tag) -> None:
        _, tokens = self.pending[tag]
        alive = {token: deadline for token, deadline in tokens.items() if deadline > self.now}
        if alive != tokens:
            del self.pending[tag]
            self._set(tag, self._version(), alive)

    def _set(self, tag: Tag, base: bytes, tokens: dict[str, float]) -> None:
        if tokens:
            self.pending[tag] = (base, tokens)
        else:
            self.clean[tag] = b"c" + base

    def mark(self, tags: Iterable[Tag], token: str, *, ttl: float) -> None:
        for tag in tags:
            base, tokens = self.pending.get(tag, (self.clean.pop(tag, b"c")[1:], {}))
            self.pending[tag] = (base, {**tokens, token: self.now + ttl})

    def resolve(self, tags: Iterable[Tag], token: str) -> int:
        found = 0
        for tag in tags:
            if tag in self.pending:
                _, tokens = self.pending.pop(tag)
                found += token in tokens
                self._set(tag, self._version(), {name: deadline for name, deadline in tokens.items() if name != token})
            elif tag in self.clean:
                self.clean[tag] = b"c" + self._version()
        return found


@dataclasses.dataclass
class World:
    """A store, a database with one version a row, and what drivers were told."""

    store: ToyStore = dataclasses.field(default_factory=ToyStore)
    committed: dict[str, int | None] = dataclasses.field(default_factory=lambda: {"1": 1})
    mark_ttl: float = 10.0
    told: list[Wish] = dataclasses.field(default_factory=list)
    tokens: int = 0
    finished: int = 10
    """The oldest xid that still runs."""

    def row(self, pk: str) -> Question:
        """Return the question "which book has this pk"."""
        canonical = f"get shop.book {pk}".encode()
        return Question(KEYS.entry("f1", canonical), canonical, (BOOKS.bulk, BOOKS.row(pk)), also=(BOOKS.new,))

    def load(self, pks: Iterable[str]) -> Loaded:
        """Ask the database for the rows with these pks."""
        found = [self.committed.get(pk) for pk in pks]
        payloads = tuple(Payload(str(version).encode(), missing=version is None) for version in found)
        return Loaded(found, payloads)

    def new_token(self) -> str:
        self.tokens += 1
        return f"token{self.tokens}"


class Player:
    """
    One process that goes through its steps; nothing happens to the world but in `step`.

    :param commit: what COMMIT does to the database; may raise before or after it has done so.
    :param pks: what the questions ask for, in their order.
    """

    def __init__(
        self, world: World, steps: Steps[Any], *, pks: tuple[str, ...] = (), commit: Callable[[], None] = lambda: None,
        may_store: bool = True,
    ) -> None:
        self.world, self.pks, self.commit, self.may_store = world, pks, commit, may_store
        self._steps = steps
        self._marked_at = 0.0
        self.result: Any = None
        self.error: BaseException | None = None
        self.over = False
        self.made: list[Wish] = []
        self.wish: Wish | None = None
        self._go_on(lambda: steps.send(None))

    def _go_on(self, proceed: Callable[[], Wish]) -> None:
        try:
            self.wish = proceed()
        except StopIteration as end:
            self.result, self.over, self.wish = end.value, True, None
        except BaseException as error:  # what leaves the steps is what a test asks for
            self.error, self.over, self.wish = error, True, None

    def step(self) -> None:
        """Do what is wished for, and hear the next wish."""
        wish = self.wish
        assert wish is not None
        self.made.append(wish)
        try:
            answer = self._answer(wish)
        except BaseException as error:  # goes into the steps
            raised = error
            self._go_on(lambda: self._steps.throw(raised))
        else:
            self._go_on(lambda: self._steps.send(answer))

    def fail(self, error: BaseException, *, after: bool = False) -> None:
        """Answer the wish with an error, before or after it was carried out."""
        assert self.wish is not None
        self.made.append(self.wish)
        if after:
            self._answer(self.wish)
        self._go_on(lambda: self._steps.throw(error))

    def kill(self) -> None:
        """End this process where it stands: nothing more of it reaches the world."""
        self.over, self.wish = True, None
        try:
            while True:                                             # whatever it still wishes is not heard
                self._steps.throw(Killed())
        except (Killed, StopIteration):
            pass

    def until(self, wish: type[Wish]) -> Player:
        """Go on until ``wish`` is the next to be done."""
        while not isinstance(self.wish, wish):
            self.step()
        return self

    def finish(self) -> Any:
        """Go on to the end; return the result or raise what left the steps."""
        while not self.over:
            self.step()
        if self.error is not None:
            raise self.error
        return self.result

    def did(self) -> list[str]:
        return [type(wish).__name__ for wish in self.made]

    def _answer(self, wish: Wish) -> Any:
        if self.world.store.down and isinstance(wish, (wishes.Get, wishes.Take, wishes.Put, wishes.Mark, wishes.Resolve, wishes.Lease)):
            if isinstance(wish, wishes.Put):
                return None
            raise StoreUnavailable("no answer")
        answer: Callable[[Any], Any] = getattr(self, "_" + type(wish).__name__.lower())
        return answer(wish)

    def _get(self, wish: wishes.Get) -> list[bytes | None]:
        return self.world.store.get(wish.keys)

    def _maystore(self, wish: wishes.MayStore) -> bool:
        return self.may_store

    def _take(self, wish: wishes.Take) -> Taken:
        return self.world.store.take(wish.tags)

    def _load(self, wish: wishes.Load) -> Loaded:
        return self.world.load([self.pks[index] for index in wish.wanted])

    def _put(self, wish: wishes.Put) -> None:
        self.world.store.entries.update(wish.entries)

    def _newtoken(self, wish: wishes.NewToken) -> str:
        return self.world.new_token()

    def _mark(self, wish: wishes.Mark) -> None:
        self._marked_at = self.world.store.now
        self.world.store.mark(wish.tags, wish.token, ttl=self.world.mark_ttl)

    def _markage(self, wish: wishes.MarkAge) -> float:
        return self.world.store.now - self._marked_at

    def _commit(self, wish: wishes.Commit) -> None:
        self.commit()

    def _resolve(self, wish: wishes.Resolve) -> int:
        return self.world.store.resolve(wish.tags, wish.token)

    def _lease(self, wish: wishes.Lease) -> bool:
        return True

    def _barrier(self, wish: wishes.Barrier) -> int | None:
        return 20

    def _horizon(self, wish: wishes.Horizon) -> int:
        return self.world.finished

    def _tell(self, wish: Wish) -> None:
        self.world.told.append(wish)

    _missed = _owe = _unmarked = _lostmarks = _pause = _tell
