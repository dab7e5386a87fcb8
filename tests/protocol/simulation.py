"""
A scheduler that plays readers and writers against each other, one wish at a time, in an order that a seed decides.

The database is a toy with row locks: a writer has its row locked from its UPDATE to the end of its transaction. Whatever goes wrong (no
answer from the store, a lost acknowledgement, a killed writer, an emptied store) happens between two steps, where the seed puts it. The
history is judged by the checker that is shipped, on the clock of steps.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Generator, Iterator, Sequence

from cache_consistency.exceptions import StoreUnavailable
from cache_consistency.protocol import wishes
from cache_consistency.protocol.questions import Loaded, Payload, Question
from cache_consistency.protocol.steps import fetch, write
from cache_consistency.protocol.wishes import Steps
from cache_consistency.testing.history import Operation, Outcome, Read, Report, Write, check
from tests.protocol.world import BOOKS, EPOCH, KEYS, Player, ServerClosedTheConnection, ToyStore, World

ROWS = ("1", "2")
ALL = "all"
SUM = Question(KEYS.entry("f1", b"sum"), b"sum of all versions", (BOOKS.any,))
MARK_TTL = 80.0
"""In steps, of which the store's clock counts one a second; also the quarantine."""

Choose = Callable[[int], int]
"""``choose(n)`` -> which of n may go on."""


@dataclasses.dataclass(frozen=True)
class Faults:
    """Chances, per step, of what may go wrong."""

    unanswered: float = 0.0
    lost_acknowledgement: float = 0.0
    killed: float = 0.0
    flushed: float = 0.0


@dataclasses.dataclass(frozen=True)
class Rules:
    """The protocol under test; a mutant replaces one of them."""

    fetch: Callable[..., Steps[bytes | Loaded]] = fetch
    write: Callable[..., Steps[None]] = write
    store: Callable[..., ToyStore] = ToyStore


class Simulation:
    """
    One run.

    :param choose: decides everything: who goes on, what fails.
    """

    def __init__(self, chance: random.Random, *, rules: Rules, faults: Faults, choose: Choose | None = None) -> None:
        self.chance, self.faults, self.rules = chance, faults, rules
        self.choose: Choose = choose or (lambda n: chance.randrange(n))
        store = rules.store(quarantine=MARK_TTL if faults.flushed else 0.0)
        self.world = World(store, committed=dict.fromkeys(ROWS, 0), mark_ttl=MARK_TTL)
        self.world.store.now += MARK_TTL
        self.locked: dict[str, object] = {}
        self.history: list[Operation] = []
        self.clock = 0.0

    def run(self, actors: Sequence[Iterator[bool]]) -> Report:
        """Play all actors to their ends; an actor yields whether it could do something."""
        alive = list(actors)
        while alive:
            actor = alive[self.choose(len(alive))]
            self.clock += 1
            self.world.store.now += 1
            if self.chance.random() < self.faults.flushed:
                self.world.store.flush()
            try:
                next(actor)
            except StopIteration:
                alive.remove(actor)
        return check(self.history)

    def reader(self, name: str, pks: Sequence[str]) -> Iterator[bool]:
        """Read these rows one after the other."""
        for pk in pks:
            invoked = self.clock
            question = SUM if pk == ALL else self.world.row(pk)
            player = _Reader(self.world, self.rules.fetch(question, EPOCH, ttl=60.0), pks=(pk,))
            while not player.over:
                yield self._advance(player)
            hit = isinstance(player.result, bytes)
            version = int(player.result) if hit else player.result.value[0]
            self.history.append(Read(pk, version, invoked, self.clock, name, hit))

    def writer(self, pks: Sequence[str]) -> Iterator[bool]:
        """Add one to the version of each of these rows, one transaction each, until killed."""
        for pk in pks:
            invoked, me = self.clock, object()
            while self.locked.get(pk) is not None:
                yield False
            self.locked[pk] = me
            version = (self.world.committed[pk] or 0) + 1
            yield True
            if not (yield from self._commit(pk, version, invoked)):
                return

    def _commit(self, pk: str, version: int, invoked: float) -> Generator[bool, None, bool]:
        """Commit and record it; return whether the writer is still alive."""
        total = 0

        def commit() -> None:
            nonlocal total
            self.world.committed[pk] = version
            total = _total(self.world)
            self.locked.pop(pk)
        player = Player(self.world, self.rules.write((BOOKS.row(pk), BOOKS.any), mark_ttl=MARK_TTL), commit=commit)
        outcome, returned = Outcome.COMMITTED, 0.0
        while not player.over:
            if self.chance.random() < self.faults.killed:
                player.kill()
                returned = MARK_TTL                                 # seen by everybody once its mark has ended, and no sooner
                break
            yield self._advance(player)
        if not total:
            self.locked.pop(pk)
            outcome = Outcome.ABORTED
        elif self._is_in_debt(player):
            outcome = Outcome.UNKNOWN                               # not promised to be seen before the debt is paid
        self.history.append(Write(pk, version, invoked, self.clock + returned, outcome))
        if total:
            self.history.append(Write(ALL, total, invoked, self.clock + returned, outcome))
        return not returned

    def _is_in_debt(self, player: Player) -> bool:
        return any(isinstance(wish, wishes.Owe) and not wish.marked for wish in player.made)

    def _advance(self, player: Player) -> bool:
        wish = player.wish
        if isinstance(wish, wishes.Commit) and self.chance.random() < self.faults.lost_acknowledgement:
            player.fail(ServerClosedTheConnection(), after=True)
        elif isinstance(wish, _ANSWERED_BY_THE_STORE) and self.chance.random() < self.faults.unanswered:
            player.fail(StoreUnavailable("no answer"), after=self.chance.random() < 0.5)
        else:
            player.step()
        return True


_ANSWERED_BY_THE_STORE = (wishes.Get, wishes.Take, wishes.Mark, wishes.Resolve)


def _total(world: World) -> int:
    return sum(version or 0 for version in world.committed.values())


class _Reader(Player):
    """Asks for one row, or for all of them: the sum of their versions is the version of the whole."""

    def _load(self, wish: wishes.Load) -> Loaded:
        pk = self.pks[0]
        version = _total(self.world) if pk == ALL else self.world.committed[pk]
        return Loaded([version], (Payload(str(version).encode()),))


def random_run(seed: int, *, rules: Rules | None = None, faults: Faults | None = None) -> Report:
    """Play three readers and two writers on two rows; the same seed is the same run."""
    chance = random.Random(seed)
    simulation = Simulation(chance, rules=rules or Rules(), faults=faults or Faults())
    actors = [simulation.reader(f"r{n}", [chance.choice((*ROWS, ALL)) for _ in range(25)]) for n in range(3)]
    actors += [simulation.writer([chance.choice(ROWS) for _ in range(8)]) for _ in range(2)]
    return simulation.run(actors)


def every_order(*, rules: Rules | None = None) -> Iterator[Report]:
    """Play each order of the steps of a reader and a writer, some thousand; who reads afterwards belongs to the history as well."""
    pending: list[tuple[int, ...]] = [()]
    while pending:
        given = pending.pop()
        taken: list[int] = []

        def choose(n: int, given: tuple[int, ...] = given, taken: list[int] = taken) -> int:
            step = len(taken)
            choice = given[step] if step < len(given) else 0
            if step >= len(given):
                pending.extend((*taken, other) for other in range(1, n))
            taken.append(choice)
            return choice
        simulation = Simulation(random.Random(0), rules=rules or Rules(), faults=Faults(), choose=choose)
        simulation.run([simulation.reader("r", ["1"]), simulation.writer(["1"])])
        taken.append(0)                                             # the orders are over: one actor is left
        yield simulation.run([simulation.reader("r", ["1", ALL])])
