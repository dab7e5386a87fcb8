import io

import pytest

from example_project.demo.board import BUCKETS, Count, Counts, bucket
from example_project.demo.screen import Moment, Screen, summary
from example_project.reads import Mode


def counts(**numbers: int) -> Counts:
    totals = [0] * len(Count)
    for name, n in numbers.items():
        totals[Count[name]] = n
    hits = [0] * BUCKETS
    hits[bucket(80e-6)] = numbers.get("HITS", 0)
    return Counts(tuple(totals), tuple(hits))


def moment(elapsed: float = 2.0, *, stale: int = 0, redis: str = "", errors: int = 0) -> Moment:
    rate = counts(READS=2400, HITS=93, ASKED=100, WRITES=80)
    return Moment(elapsed=elapsed, rate=rate, seconds=2.0, total=counts(READS=9999, STALE=stale, ERRORS=errors), redis=redis)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_live_line_says_everything() -> None:
    line = Screen(io.StringIO()).line(moment(redis="quarantine, 3 s left", errors=1))
    assert line == "   2 s · 1 200 reads/s · hits 93.0 % · p50 hit 83 µs · 40 writes/s · stale reads 0 · errors 1 · quarantine, 3 s left"


def test_on_a_narrow_terminal_the_stale_reads_are_what_stays() -> None:
    assert Screen(io.StringIO()).line(moment(stale=7, redis="redis: down"), width=30) == "stale reads 7 · redis: down"


def test_on_a_terminal_it_is_rewritten_in_place_and_ended_before_other_lines() -> None:
    out = Terminal()
    screen = Screen(out)
    screen.live(moment())
    screen.live(moment())
    screen.say("Done.")
    assert out.getvalue().count("\r\x1b[2K") == 2
    assert out.getvalue().endswith("\nDone.\n")
    assert out.getvalue().count("\n") == 2


def test_stale_reads_are_red_unless_colours_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31mstale reads 7" in Screen(Terminal()).line(moment(stale=7))
    assert "\x1b[1;32mstale reads 0" in Screen(Terminal()).line(moment())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in Screen(Terminal()).line(moment(stale=7))


def test_elsewhere_there_is_a_line_each_two_seconds() -> None:
    out = io.StringIO()
    screen = Screen(out)
    for elapsed in (0.5, 1.0, 1.5, 2.6, 3.0, 4.7):
        screen.live(moment(elapsed))
    assert out.getvalue().count("\n") == 3
    assert "\x1b" not in out.getvalue()


class TestSummary:
    def test_without_stale_reads_it_bounds_their_rate(self) -> None:
        said = summary(counts(READS=3_000_000), seconds=30, mode=Mode.CONSISTENT, examples=[])
        assert "3 000 000 reads, every one checked" in said
        assert "Stale reads: 0; fewer than 1.0 per million (95 %, 3/n)." in said

    def test_with_some_it_counts_and_shows_them_and_says_that_naive_is_meant_to(self) -> None:
        said = summary(counts(READS=1000, STALE=2), seconds=30, mode=Mode.NAIVE, examples=["e.g. this"])
        assert "Stale reads: 2, 2 000 per million." in said
        assert "e.g. this" in said
        assert "stale reads are what it is shown for" in said

    def test_without_any_read_it_claims_nothing(self) -> None:
        assert "Stale reads: 0.\n" in summary(counts(), seconds=0, mode=Mode.OFF, examples=[]) + "\n"
