"""Repeats the canary: records when the server last completed a request, and detects wrong answers."""

import re
import threading
import time

from .canary import Canary, NoAnswerError, NoRoomError, Row, WrongAnswerError, request
from .log import log

# Seconds between two canary requests: at least PERIOD, and at least REST_FACTOR times the duration of one. With the
# metrics, the supervisor uses less than 1% of one processor for them, whatever the size of an answer.
PERIOD = 2.0
REST_FACTOR = 150
ANSWER_SECONDS = 5.0
FIRST_ANSWER_SECONDS = 60.0
RETRY_SECONDS = 0.03


class Pulse(threading.Thread):
    """Sends the canary's requests in a thread.

    `is_ready` is set when all rows were answered correctly and, if it is measured, enough answers agree with PyTorch's,
    in batches of up to `max_batch_size` rows.
    `fault` says what is wrong after two wrong answers in a row. `last_success` is when the server last completed a
    request (time.monotonic()), the canary's or a client's: under load the canary may be refused or late. An answer
    that shared memory is full is a success as well, and never a fault. `idle_seconds` is the duration of a row on an
    idle server, and `period` the seconds until the next request.
    """

    def __init__(self, canary: Canary, metrics_port: int, max_batch_size: int = 1) -> None:
        super().__init__(daemon=True)
        self.canary = canary
        self.is_ready = False
        self.fault = ""
        self.last_success = time.monotonic()
        self.idle_seconds = 0.0
        self.period = PERIOD
        self._metrics_port = metrics_port
        self._max_batch_size = max_batch_size
        self._canary_successes = 0
        self._client_successes = 0.0

    @property
    def extra_period(self) -> float:
        """Seconds by which the period exceeds PERIOD."""
        return self.period - PERIOD

    def run(self) -> None:
        """Runs until the process exits or a fault is found."""
        self._wait_for_port()
        for row in self.canary.rows:
            while not self._check(row, FIRST_ANSWER_SECONDS) and not self.fault:
                time.sleep(RETRY_SECONDS)
        started = time.monotonic()
        if not self.fault and self._check(self.canary.rows[-1], FIRST_ANSWER_SECONDS):
            self.idle_seconds = time.monotonic() - started
        self._measure_agreement()
        self._poll_clients()
        self.is_ready = not self.fault
        turn = 0
        while not self.fault:
            self._wait_for_next()
            turn += 1
            self._check(self.canary.rows[turn % len(self.canary.rows)], ANSWER_SECONDS)

    def _measure_agreement(self) -> None:
        agreement = self.canary.agreement
        while agreement and not self.fault:
            try:
                port, source = self.canary.port, self.canary.source
                found = agreement.measure(port, source, self._max_batch_size, FIRST_ANSWER_SECONDS)
            except NoAnswerError:
                time.sleep(RETRY_SECONDS)
                continue
            except WrongAnswerError as error:
                self.fault = f"a golden request of the agreement fails: {error}"
                return
            self.last_success = time.monotonic()
            self.fault = agreement.fault(found)
            if not self.fault:
                log(f"{agreement.precision} agrees with PyTorch on this device: {100 * found:.6g}%")
            return

    def _wait_for_next(self) -> None:
        """Waits for `period`; polls every PERIOD whether clients get answers."""
        until = time.monotonic() + self.period
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(PERIOD, left))
            self._poll_clients()

    def _wait_for_port(self) -> None:
        while True:
            try:
                path, source = "/v2/health/ready", self.canary.source
                if request(self.canary.port, "GET", path, source=source, seconds=ANSWER_SECONDS)[0] == 200:
                    return
            except NoAnswerError:
                pass
            time.sleep(RETRY_SECONDS)

    def _check(self, row: Row, seconds: float) -> bool:
        """True for a right answer. A wrong answer is repeated once before it counts as a fault."""
        reason = ""
        for _ in range(2):
            started = time.monotonic()
            try:
                self.canary.check(row, seconds)
                self.last_success = time.monotonic()
                self._canary_successes += 1
                self._set_period(self.last_success - started)
                return True
            except NoRoomError:
                self.last_success = time.monotonic()
                return False
            except NoAnswerError:
                return False
            except WrongAnswerError as error:
                reason = f"model {row.model} returns a wrong answer: {error}"
                time.sleep(RETRY_SECONDS)
        self.fault = reason
        return False

    def _set_period(self, elapsed: float) -> None:
        """`elapsed` includes the comparison. Under load most of it is waiting, so an idle server's time counts."""
        self.period = max(PERIOD, REST_FACTOR * min(elapsed, self.idle_seconds or elapsed))

    def _poll_clients(self) -> None:
        """Completed client requests count as success as well."""
        names = "|".join(re.escape(name) for name in dict.fromkeys(row.model for row in self.canary.rows))
        try:
            _, text = request(self._metrics_port, "GET", "/metrics", seconds=ANSWER_SECONDS)
        except NoAnswerError:
            return
        lines = re.findall(rf'(?m)^nv_inference_request_success{{model="(?:{names})",.*}} ([0-9.e+]+)$', text.decode())
        successes = sum(map(float, lines)) - self._canary_successes
        if successes > self._client_successes:
            self.last_success = time.monotonic()
        self._client_successes = successes
