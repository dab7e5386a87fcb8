"""The seam that logs and metrics hang on."""

import logging

import pytest

from cache_consistency import events


def test_warnings_are_remembered_up_to_a_bound_and_then_no_more_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    events.reset()
    with caplog.at_level(logging.WARNING, logger="cache_consistency"):
        for number in range(events.MOST_WARNINGS + 50):
            events.warn_once(f"kind {number}", "warning %d", number)
            events.warn_once(f"kind {number}", "warning %d", number)
    assert len(caplog.records) == events.MOST_WARNINGS + 1
    assert "no further" in caplog.records[-1].getMessage()
    assert len(events._said) == events.MOST_WARNINGS
    events.reset()
