from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from cache_consistency import switches
from cache_consistency.capture import hooks, sink
from tests.capture.recorder import Recorder, spelled


@pytest.fixture
def hooked() -> Iterator[None]:
    before = hooks.installed()
    with override_settings(CACHE_CONSISTENCY={"CACHE": "default"}), switches.active_in_tests():
        hooks.install()
        yield
    if not before:
        hooks.uninstall()


@pytest.fixture
def recorder(hooked: None, database: str) -> Iterator[Recorder]:
    """Records every commit of the test; what a test sets up first it takes out with ``recorder.commits.clear()``."""
    recording = Recorder()
    before = sink.install(recording)
    yield recording
    sink.install(before)


@pytest.fixture
def connection(database: str) -> Any:
    return connections[database]


@pytest.fixture
def told(recorder: Recorder, connection: Any) -> Any:
    """What was recorded since the last call, each commit spelled."""
    def take() -> list[set[str]]:
        commits = [spelled(connection, tags) for tags in recorder.commits]
        recorder.commits.clear()
        return commits
    return take
