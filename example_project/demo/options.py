"""What may be chosen for a demonstration, all of it by the environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from example_project.environment import BASE
from example_project.reads import Mode
from example_project.sizes import Size

T = TypeVar("T")


class BadOption(Exception):
    """A variable that cannot be used; the message names it, what it holds and what it may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seconds: float | None = None
    """Stop by itself after so many seconds of traffic; None: run until Ctrl-C."""
    cache: Mode = Mode.CONSISTENT
    postgres: bool = False
    """Start a private PostgreSQL; without it, and without ``DATABASE_URL``, SQLite."""
    readers: int = 2
    writers: int = 2
    reads_per_second: int = 1500
    """At most, per reader: enough to race with every write, and leaves a core to whoever looks at the shop."""
    writes_per_second: int = 20
    """At most, per writer."""
    port: int | None = None
    """Of the web server; None: 8000 if it is free, else any."""
    directory: Path = BASE / ".run" / "demo"
    size: Size = field(default_factory=Size)


def from_environment(environment: Mapping[str, str]) -> Options:
    """
    Read ``SECONDS CACHE DB READERS WRITERS READ_RATE WRITE_RATE PORT DEMO_DIR PRODUCTS CUSTOMERS ORDERS``.

    :raises BadOption: one of them holds what it cannot.
    """

    def take(name: str, parse: Callable[[str], T], default: T, allowed: str) -> T:
        value = environment.get(name, "")
        if not value:
            return default
        try:
            return parse(value)
        except ValueError:
            raise BadOption(f"{name}={value!r}: it may be {allowed}.") from None

    count = "a whole number of at least 1"
    defaults, size = Options(), Size()
    return Options(
        seconds=take("SECONDS", _positive(float), None, "a number of seconds above 0"),
        cache=take("CACHE", Mode, defaults.cache, ", ".join(Mode)),
        postgres=take("DB", _database, False, "sqlite or postgres"),
        readers=take("READERS", _positive(int), defaults.readers, count),
        writers=take("WRITERS", _positive(int), defaults.writers, count),
        reads_per_second=take("READ_RATE", _positive(int), defaults.reads_per_second, count),
        writes_per_second=take("WRITE_RATE", _positive(int), defaults.writes_per_second, count),
        port=take("PORT", _positive(int), None, "the number of a port"),
        directory=take("DEMO_DIR", Path, defaults.directory, "a directory"),
        size=Size(
            products=take("PRODUCTS", _positive(int), size.products, count),
            customers=take("CUSTOMERS", _positive(int), size.customers, count),
            orders=take("ORDERS", _positive(int), size.orders, count),
        ),
    )


def _positive(kind: Callable[[str], T]) -> Callable[[str], T]:
    def parse(text: str) -> T:
        value = kind(text)
        if not 0 < value < float("inf"):  # type: ignore[operator]
            raise ValueError(text)
        return value

    return parse


def _database(text: str) -> bool:
    known = {"sqlite": False, "postgres": True, "postgresql": True}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]
