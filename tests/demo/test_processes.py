import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from example_project.demo import control
from example_project.demo.processes import Child, Died, end_all, run

WITH_CHILD = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def start(tmp_path: Path, program: str, name: str = "child") -> Child:
    """Start a child and wait until it has said its first line."""
    child = Child(name, ["-c", program], environment=os.environ, logs=tmp_path)
    deadline = time.monotonic() + 20
    while not child.log_end() and time.monotonic() < deadline:
        os.sched_yield()
    return child


def test_the_group_ends_with_its_leader_and_nobody_else_does(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            child = start(tmp_path, WITH_CHILD)
            grandchild = int(child.log_end())
            end_all([child])
            assert not child.running
            assert not alive(grandchild)
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf, other = start(tmp_path, DEAF, "deaf"), start(tmp_path, WITH_CHILD, "other")
    end_all([deaf, other], patience=0.2)
    assert not deaf.running
    assert not other.running


def test_one_that_ended_by_itself_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = start(tmp_path, "print('out of paper', flush=True); raise SystemExit(7)")
    child.end(deadline=time.monotonic() + 20)
    with pytest.raises(Died, match=r"(?s)child ended with code 7.*out of paper"):
        child.require()
    end_all([child])  # ending what has ended is nothing


def test_a_step_that_fails_says_what_it_printed() -> None:
    with pytest.raises(Died, match=r"(?s)code 3.*no ink"):
        run(["-c", "print('no ink'); raise SystemExit(3)"], environment=os.environ)
    run(["-c", "pass"], environment=os.environ)


class TestControl:
    def test_who_knows_the_secret_is_answered(self, tmp_path: Path) -> None:
        place, listening = tmp_path / "demo.json", control.Control()
        control.write_run_file(place, control=listening, environment={"CACHE": "off"}, url="http://here/")
        assert place.stat().st_mode & 0o077 == 0
        answers: list[str] = []
        caller = threading.Thread(target=lambda: answers.append(control.ask(place, "redis stop")))
        caller.start()
        listening.serve(lambda command: f"did {command}", timeout=20)
        caller.join()
        listening.close()
        assert answers == ["did redis stop"]

    def test_who_does_not_is_not(self, tmp_path: Path) -> None:
        place, listening = tmp_path / "demo.json", control.Control()
        control.write_run_file(place, control=listening, environment={}, url="")
        listening.secret = "another"
        asked: list[str] = []
        answers: list[str] = []
        caller = threading.Thread(target=lambda: answers.append(control.ask(place, "redis stop")))
        caller.start()

        def answer(command: str) -> str:
            asked.append(command)
            return ""
        listening.serve(answer, timeout=20)
        caller.join()
        listening.close()
        assert asked == []
        assert answers == ["The demonstration did not understand that."]

    def test_without_a_demonstration_one_is_told_how_to_start_it(self, tmp_path: Path) -> None:
        with pytest.raises(control.NotRunning, match="make demo"):
            control.ask(tmp_path / "demo.json", "redis stop")


def test_a_process_is_started_by_this_interpreter(tmp_path: Path) -> None:
    child = start(tmp_path, "import sys; print(sys.executable, flush=True)")
    child.end(deadline=time.monotonic() + 20)
    assert child.log_end() == sys.executable
