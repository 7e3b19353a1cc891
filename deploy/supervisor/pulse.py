"""The repeated canary: when the server last gave a sign of life, and whether it gave a wrong answer."""

from __future__ import annotations

import re
import threading
import time

from .canary import Canary, NoAnswerError, NoRoomError, Row, WrongAnswerError, request

# Seconds between two canary requests: at least this, and so many times what one takes. With the looks at the metrics
# the supervisor spends less than 1% of one processor on them, whatever the size of an answer.
PERIOD = 2.0
LEAST_REST = 150
ANSWER_SECONDS = 5.0
FIRST_ANSWER_SECONDS = 60.0
POLL = 0.03


class Pulse(threading.Thread):
    """Asks in a thread of its own. `is_ready` once all rows were answered right; `fault` when one was not, twice.

    `sign` is when the server last completed a request (time.monotonic()), ours or another's: under load the canary
    may be refused or late. An answer that shared memory is full is a sign as well, and never a fault. `seconds` is
    what a row takes on an idle server, and `period` the time to the next request.
    """

    def __init__(self, canary: Canary, metrics_port: int) -> None:
        super().__init__(daemon=True)
        self.canary = canary
        self.is_ready = False
        self.fault = ""
        self.sign = time.monotonic()
        self.seconds = 0.0
        self.period = PERIOD
        self._metrics_port = metrics_port
        self._right = 0
        self._others = 0.0

    @property
    def added_rest(self) -> float:
        """Seconds by which the time between two canary requests is longer than PERIOD."""
        return self.period - PERIOD

    def run(self) -> None:
        """Until the process ends or a fault was found."""
        self._wait_for_port()
        for row in self.canary.rows:
            while not self._ask(row, FIRST_ANSWER_SECONDS) and not self.fault:
                time.sleep(POLL)
        started = time.monotonic()
        if not self.fault and self._ask(self.canary.rows[-1], FIRST_ANSWER_SECONDS):
            self.seconds = time.monotonic() - started
        self._look_at_others()
        self.is_ready = not self.fault
        turn = 0
        while not self.fault:
            self._rest()
            turn += 1
            self._ask(self.canary.rows[turn % len(self.canary.rows)], ANSWER_SECONDS)

    def _rest(self) -> None:
        """Waits for `period`, and looks every PERIOD whether others get answers."""
        until = time.monotonic() + self.period
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(PERIOD, left))
            self._look_at_others()

    def _wait_for_port(self) -> None:
        while True:
            try:
                path, source = "/v2/health/ready", self.canary.source
                if request(self.canary.port, "GET", path, source=source, seconds=ANSWER_SECONDS)[0] == 200:
                    return
            except NoAnswerError:
                pass
            time.sleep(POLL)

    def _ask(self, row: Row, seconds: float) -> bool:
        """True for a right answer. A wrong one counts when it comes twice."""
        reason = ""
        for _ in range(2):
            started = time.monotonic()
            try:
                self.canary.ask(row, seconds)
                self.sign = time.monotonic()
                self._right += 1
                self._set_period(self.sign - started)
                return True
            except NoRoomError:
                self.sign = time.monotonic()
                return False
            except NoAnswerError:
                return False
            except WrongAnswerError as error:
                reason = f"model {row.model} does not answer as it must: {error}"
                time.sleep(POLL)
        self.fault = reason
        return False

    def _set_period(self, elapsed: float) -> None:
        """By what the answer took, comparing included. Under load that is mostly waiting: then by an idle server's."""
        self.period = max(PERIOD, LEAST_REST * min(elapsed, self.seconds or elapsed))

    def _look_at_others(self) -> None:
        """Requests of others that were completed are a sign of life as well."""
        names = "|".join(re.escape(name) for name in dict.fromkeys(row.model for row in self.canary.rows))
        try:
            _, text = request(self._metrics_port, "GET", "/metrics", seconds=ANSWER_SECONDS)
        except NoAnswerError:
            return
        lines = re.findall(rf'(?m)^nv_inference_request_success{{model="(?:{names})",.*}} ([0-9.e+]+)$', text.decode())
        others = sum(map(float, lines)) - self._right
        if others > self._others:
            self.sign = time.monotonic()
        self._others = others
