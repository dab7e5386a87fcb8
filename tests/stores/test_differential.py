"""Random moves on the in-process store and on the real scripts: the same answers and the same states, versions renamed."""

import collections
import random
import re
from collections.abc import Iterator

import pytest
import redis

from cache_consistency.exceptions import StoreRefused
from cache_consistency.protocol.versions import Taken
from cache_consistency.stores.base import Store
from cache_consistency.stores.memory import MemoryStore
from cache_consistency.testing.servers import RedisServer, find_redis_server
from tests.servers import require
from tests.stores.conftest import let_pass_on, store_at
from tests.stores.contract import ANY, FAR, KEYSPACE, LIST, ROW
from tests.stores.test_contract_memory import Clock

TAGS = (ROW, LIST, ANY)
WRITERS = "uvwxyz"


class Names:
    """Versions are random: each is known by the order in which it was first met, so that two stores can be compared."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = collections.defaultdict(lambda: f"v{len(self._names)}")

    def state(self, raw: bytes | None) -> tuple[object, ...] | None:
        if raw is None:
            return None
        kind, base, rest = re.fullmatch(rb"([cp])([^;]*);?(.*)", raw).groups()      # type: ignore[union-attr]
        tokens = sorted(pair.split(b",")[0].decode() for pair in rest.split(b";") if pair)
        return kind, self._names[base] if base else "", tokens

    def answer(self, answer: object) -> object:
        if isinstance(answer, Taken):
            return answer.storable, [self.state(state) for state in answer.states]
        return answer


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    require(find_redis_server)
    with RedisServer() as server:
        yield server


def move(store: Store, chance: random.Random) -> object:
    """Make one random move; two stores given the same ``chance`` make the same one."""
    kind = chance.choice(["mark", "mark", "mark over", "resolve", "resolve", "take", "new epoch"])
    tags, token = chance.sample(TAGS, chance.randint(1, 3)), chance.choice(WRITERS)
    try:
        if kind.startswith("mark"):
            store.mark(tags, token, ttl=0.001 if kind == "mark over" else chance.choice([FAR, 0]))
            return "marked"
        if kind == "resolve":
            return store.resolve(tags, token)
        if kind == "take":
            return store.take(tags)
        return len(store.new_epoch().id)
    except StoreRefused:
        return "refused"


@pytest.mark.parametrize("seed", range(6))
def test_memory_and_lua_agree_on_every_move(server: RedisServer, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache_consistency.stores.redis.MAX_TOKENS", 4)
    monkeypatch.setattr("cache_consistency.stores.memory.MAX_TOKENS", 4)
    clock = Clock()
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        stores: list[Store] = [MemoryStore(KEYSPACE, clock=clock), store_at(server.url)]
        chances, names = [random.Random(seed), random.Random(seed)], [Names(), Names()]
        for step in range(250):
            answers = [name.answer(move(store, chance)) for store, chance, name in zip(stores, chances, names, strict=True)]
            assert answers[0] == answers[1], f"move {step}"
            let_pass_on(client, 0.002)                              # what was to be over at once is over in both
            clock.now += 0.003
            states = [[name.state(state) for state in store.get(TAGS)] for store, name in zip(stores, names, strict=True)]
            assert states[0] == states[1], f"after move {step}"
        for tag in TAGS:
            raw = client.get(tag)
            if raw is not None:
                assert (client.pttl(tag) == -1) == raw.startswith(b"p"), "pending has no time to live, clean has one"
