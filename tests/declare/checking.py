"""How the tests of checks speak: run one check under some settings, and compare ids."""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error
from django.test import override_settings

from cache_consistency.declare.checks import CHECKS

Check = Callable[..., list[CheckMessage]]


def found(check: Check, given: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, CheckMessage]:
    """Return the findings by number (``"E003"``), after looking at what every finding must have."""
    with override_settings(CACHE_CONSISTENCY={} if given is None else given, **settings):
        messages = check(None)
    result = {str(message.id).removeprefix("cache_consistency."): message for message in messages}
    for number, message in result.items():
        assert number in CHECKS
        assert message.hint
        assert isinstance(message, Error) == (number[0] == "E")
    return result
