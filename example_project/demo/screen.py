"""What a demonstration shows: one live line, rewritten in place on a terminal, and a summary."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from example_project.demo.board import Count, Counts
from example_project.reads import Mode

LINE_EVERY = 2.0
"""Seconds between two lines where lines cannot be rewritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the live line is made of."""

    elapsed: float
    rate: Counts
    """What happened since the moment before."""
    seconds: float
    """How long that was."""
    total: Counts
    redis: str = ""
    """What is to be said about Redis, as "redis: down"; empty when all is well."""


class Screen:
    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self.terminal = out.isatty()
        self._colour = self.terminal and "NO_COLOR" not in os.environ
        self._last_line = -LINE_EVERY
        self._open = False

    def say(self, text: str = "") -> None:
        """Print whole lines; a live line that stands there is ended first."""
        self._end_line()
        print(text, file=self._out, flush=True)

    def live(self, moment: Moment) -> None:
        if self.terminal:
            self._out.write(f"\r\x1b[2K{self.line(moment, width=shutil.get_terminal_size().columns - 1)}")
            self._out.flush()
            self._open = True
        elif moment.elapsed - self._last_line >= LINE_EVERY:
            self._last_line = moment.elapsed
            print(self.line(moment), file=self._out, flush=True)

    def _end_line(self) -> None:
        if self._open:
            self._out.write("\n")
            self._open = False

    def line(self, moment: Moment, *, width: int | None = None) -> str:
        """Return the live line; where ``width`` columns are too few it leaves out what matters least."""
        parts = _parts(moment)
        for name in ("elapsed", "errors", "p50", "writes", "hits", "reads"):
            if width is None or len(_SEPARATOR.join(text for text, _ in parts.values())) <= width:
                break
            parts.pop(name, None)
        return _SEPARATOR.join(f"\x1b[{code}m{text}\x1b[0m" if self._colour and code else text for text, code in parts.values())


_SEPARATOR = " · "
_GREEN, _YELLOW, _RED = "1;32", "33", "1;31"


def _parts(moment: Moment) -> dict[str, tuple[str, str]]:
    """Return name -> (text, code of its colour)."""
    rate, stale, errors = moment.rate, moment.total[Count.STALE], moment.total[Count.ERRORS]
    parts = {
        "elapsed": (f"{moment.elapsed:4.0f} s", ""),
        "reads": (f"{grouped(rate[Count.READS] / moment.seconds)} reads/s", ""),
        "hits": (f"hits {percent(rate.hit_ratio)}", ""),
        "p50": (f"p50 hit {micros(rate.median_hit)}", ""),
        "writes": (f"{grouped(rate[Count.WRITES] / moment.seconds)} writes/s", ""),
        "stale": (f"stale reads {grouped(stale)}", _RED if stale else _GREEN),
    }
    if errors:
        parts["errors"] = (f"errors {grouped(errors)}", _YELLOW)
    if moment.redis:
        parts["redis"] = (moment.redis, _YELLOW)
    return parts


def summary(total: Counts, *, seconds: float, mode: Mode, examples: Sequence[str]) -> str:
    """Say what a demonstration has shown; several lines."""
    reads, stale = total[Count.READS], total[Count.STALE]
    lines = [
        f"{seconds:.0f} s of traffic: {grouped(reads)} reads, every one checked, and {grouped(total[Count.WRITES])} writes.",
        f"Hits {percent(total.hit_ratio)}, half of them within {micros(total.median_hit)}; errors {grouped(total[Count.ERRORS])}.",
        f"Stale reads: {grouped(stale)}{_per_million(stale, reads)}",
        *(f"  {example}" for example in examples),
    ]
    if mode is Mode.NAIVE:
        lines.append(
            "This was the hand-made caching that the shop once had (CACHE=naive); stale reads are what it is shown for."
            if stale
            else "This was the hand-made caching that the shop once had (CACHE=naive); let it run longer to see it go stale."
        )
    return "\n".join(lines)


def _per_million(stale: int, reads: int) -> str:
    """With none seen in n reads, the rate is below 3/n with 95 % confidence (the rule of three)."""
    if not reads:
        return "."
    if stale:
        return f", {grouped(1e6 * stale / reads)} per million."
    return f"; fewer than {3e6 / reads:.1f} per million (95 %, 3/n)."


def grouped(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


def percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{100 * ratio:.1f} %"


def micros(seconds: float | None) -> str:
    return "–" if seconds is None else f"{grouped(seconds * 1e6)} µs"
