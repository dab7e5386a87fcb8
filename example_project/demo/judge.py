"""
Was this read stale? Pure functions of what was on the board around the read, and of what came back.

*Stale* means: older than a write that had returned before the read began. What cannot be decided (a write was under way) is not held
against the cache, so a verdict is never wrong; there are enough reads for it to be reached.
"""

from collections.abc import Iterable, Mapping, Sequence

from example_project.demo.board import Pair


def old_row(version: int, floor: int) -> str | None:
    """Compare a row's version with the highest one known to be committed before the read."""
    return f"version {version}, committed before the read: {floor}" if version < floor else None


def old_rows(versions: Iterable[tuple[int, int]], floors: Sequence[int]) -> str | None:
    """:param versions: (number on the board, version) of each row of a list."""
    return next((f"row {number}: {found}" for number, version in versions if (found := old_row(version, floors[number]))), None)


def came_and_went(version: int | None, before: Pair, after: Pair) -> str | None:
    """
    Judge a row that is created and deleted again, each time with a higher version.

    :param version: of the row that came back; None: the answer was that there is none.
    """
    sequence, present = before.done >> 1, bool(before.done & 1)
    if version is not None:
        return f"version {version}, {'created' if present else 'deleted'} as {sequence} before the read" if version < sequence else None
    nothing_under_way = before.done == after.begun
    return f"missing, created as {sequence} before the read" if present and nothing_under_way else None


def flash_list(versions: Mapping[int, int], before: Sequence[Pair], after: Sequence[Pair]) -> str | None:
    """Judge a list of rows that come and go: none may be missing, none may be old. ``versions``: number on the board -> version."""
    verdicts = (came_and_went(versions.get(number), *pairs) for number, pairs in enumerate(zip(before, after, strict=True)))
    return next((f"row {number}: {verdict}" for number, verdict in enumerate(verdicts) if verdict), None)


def label_state(*, present: bool, before: Pair, after: Pair) -> str | None:
    """Judge whether a label is on a product."""
    if before.done != after.begun or present == bool(before.done & 1):
        return None
    return f"label is {'there' if present else 'missing'}, {'taken' if present else 'put'} before the read"
