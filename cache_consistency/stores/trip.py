"""
The trip switch: one caller waits for a store that does not answer, the others do not.

After a call got no answer the store is left alone for half a second, then for one at a time; at the end of each pause one call goes through
as a probe. It is not a breaker: it knows one store, counts no error rate, and never makes callers wait for each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 1.0


class TripSwitch:
    """Thread-safe. While nothing is wrong a caller reads one attribute, `tripped`, and takes no lock."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.tripped = False
        self._clock = clock
        self._lock = threading.Lock()
        self._pause = FIRST_PAUSE
        self._until = 0.0

    def admit(self) -> bool:
        """
        Say whether this call may go to the network; True makes it the probe, whose outcome it has to report.

        A probe that never reports (its thread was killed) delays the next one by one pause and blocks nothing.
        """
        with self._lock:
            now = self._clock()
            if not self.tripped:
                return True
            if now < self._until:
                return False
            self._until = now + self._pause
            return True

    def remaining(self) -> float:
        """Return the seconds until the next probe."""
        return max(0.0, self._until - self._clock())

    def failed(self, *, probe: bool) -> bool:
        """
        Report a call without an answer; return whether that is what tripped the switch.

        Only a probe makes the pause longer: calls that were under way when the switch tripped all fail for the same reason.
        """
        with self._lock:
            if self.tripped and not probe:
                return False
            first = not self.tripped
            self._pause = FIRST_PAUSE if first else min(2 * self._pause, LONGEST_PAUSE)
            self._until = self._clock() + self._pause
            self.tripped = True
            return first

    def succeeded(self) -> bool:
        """Report an answer; return whether that ended an outage."""
        with self._lock:
            was, self.tripped = self.tripped, False
            return was
