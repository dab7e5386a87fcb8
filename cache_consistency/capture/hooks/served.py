"""A driver's cursor whose rows were already fetched: by us, because what they say had to be known before COMMIT."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

Row = tuple[Any, ...]


class Served:
    """Serves fetched rows as the driver's cursor would; everything else, and every later statement, is the driver's cursor."""

    def __init__(self, raw: Any, rows: Iterable[Row]) -> None:
        self._raw = raw
        self._rows: deque[Row] | None = deque(rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def fetchone(self) -> Any:
        if self._rows is None:
            return self._raw.fetchone()
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        if self._rows is None:
            return list(self._raw.fetchmany() if size is None else self._raw.fetchmany(size))
        count = min(self._raw.arraysize if size is None else size, len(self._rows))
        return [self._rows.popleft() for _ in range(count)]

    def fetchall(self) -> list[Any]:
        if self._rows is None:
            return list(self._raw.fetchall())
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._rows is None:
            return next(self._raw)
        if not self._rows:
            raise StopIteration
        return self._rows.popleft()

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        self._rows = None
        return self._raw.execute(*args, **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> Any:
        self._rows = None
        return self._raw.executemany(*args, **kwargs)


def serve(cursor: Any, rows: Iterable[Row]) -> Any:
    """Put fetched rows before Django's ``cursor``; returns what ``execute`` should return."""
    raw = cursor.cursor
    served = Served(raw._raw if isinstance(raw, Served) else raw, rows)
    cursor.cursor = served
    return served
