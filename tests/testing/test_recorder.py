"""Recording from threads and processes, and merging what they left."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cache_consistency.testing.history import Outcome, Read, Write, check
from cache_consistency.testing.recorder import Recorder, Writing, merge


@pytest.fixture(params=["memory", "files"])
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path if request.param == "files" else None)
    yield made
    made.close()


def test_what_is_recorded_comes_back_with_its_times(recorder: Recorder) -> None:
    with recorder.write("k") as writing:
        writing.version = 1
    with recorder.read("k", session="s") as reading:
        reading.version, reading.hit = 1, False
    wrote, saw = recorder.operations()
    assert isinstance(wrote, Write)
    assert isinstance(saw, Read)
    assert (wrote.key, wrote.version, wrote.outcome, wrote.absent) == ("k", 1, Outcome.COMMITTED, False)
    assert (saw.key, saw.version, saw.session, saw.hit) == ("k", 1, "s", False)
    assert wrote.invoked <= wrote.returned <= saw.invoked <= saw.returned
    assert check(recorder.operations()).is_clean


def test_a_write_that_raises_has_an_unknown_outcome_unless_it_is_said_to_be_aborted(recorder: Recorder) -> None:
    for version, outcome in ((1, Outcome.COMMITTED), (2, Outcome.ABORTED)):
        with pytest.raises(ZeroDivisionError), recorder.write("k") as writing:
            _set_and_fail(writing, version, outcome)
    assert [op.outcome for op in recorder.operations() if isinstance(op, Write)] == [Outcome.UNKNOWN, Outcome.ABORTED]


def _set_and_fail(writing: Writing, version: int, outcome: Outcome) -> None:
    writing.version, writing.outcome = version, outcome
    raise ZeroDivisionError


def test_a_write_without_a_version_and_a_read_that_failed_or_was_discarded_leave_nothing(recorder: Recorder) -> None:
    with recorder.write("k"):
        pass
    with recorder.read("k") as reading:
        reading.discarded = True
    with pytest.raises(ZeroDivisionError), recorder.read("k"):
        raise ZeroDivisionError
    assert recorder.operations() == []


def test_threads_are_sessions_of_their_own_and_lose_nothing(recorder: Recorder) -> None:
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        for _ in range(500):
            with recorder.read("k") as reading:
                reading.version = 0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    operations = recorder.operations()
    assert len(operations) == 2000
    assert all(isinstance(op, Read) for op in operations)
    assert check(operations).reads == 2000


def test_processes_write_files_of_their_own_that_are_merged(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.add(Write("k", 1, 1.0, 2.0))
    child = os.fork()
    if child == 0:
        recorder.add(Read("k", 1, 3.0, 4.0, "child"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    recorder.close()
    assert sorted(map(str, merge(tmp_path))) == sorted(map(str, [Write("k", 1, 1.0, 2.0), Read("k", 1, 3.0, 4.0, "child")]))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_closed_recorder_opens_its_file_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for version in (1, 2):
        recorder.add(Write("k", version, 1.0, 2.0))
        recorder.close()
        recorder.close()
    assert len(recorder.operations()) == 2


def test_a_line_cut_off_by_a_kill_is_left_out_and_any_other_damage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    path.write_bytes(msgspec.json.encode(Write("k", 1, 1.0, 2.0)) + b'\n["w","k",2,')
    assert merge(tmp_path) == [Write("k", 1, 1.0, 2.0)]
    path.write_bytes(b"nonsense\n")
    with pytest.raises(msgspec.DecodeError):
        merge(tmp_path)
