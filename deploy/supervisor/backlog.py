"""Counts the requests in Triton's queues; above a limit the models refuse new ones.

Triton's own limit (dynamic_batching.default_queue_policy) slows the server down: with any such policy a batcher does
not notice requests that arrive while its instance works, and polls for them every 500 ms only (RateLimiter and
DynamicBatchScheduler, seen on 24.10: one client got 4 answers a second instead of 440).
"""

import os
import re
import threading
import time
from collections import deque

from .canary import NoAnswerError, request

# Refuse above HIGH queued requests, accept again at LOW.
HIGH, LOW = 256, 64
# A slow model refuses earlier: if the last queued request would wait longer than this.
MAX_WAIT_SECONDS = 10.0
# Requests are refused much faster than they are answered.
POLL_SECONDS, REFUSING_POLL_SECONDS = 0.25, 0.02
ANSWER_SECONDS = 5.0
# The models' environment variable that names the file whose existence makes them refuse: model_repository/shared.
VARIABLE = "TRITON_REFUSING_FILE"
QUEUED = re.compile(rb"(?m)^nv_inference_pending_request_count(\{[^}]*\}) ([0-9.e+]+)$")
ANSWERED = re.compile(rb"(?m)^nv_inference_request_success(\{[^}]*\}) ([0-9.e+]+)$")


class Backlog(threading.Thread):
    """Polls in a thread. `file` exists while the models refuse requests."""

    def __init__(self, metrics_port: int, file: str) -> None:
        super().__init__(daemon=True)
        self.file = file
        self.is_refusing = False
        self._metrics_port = metrics_port
        # For each model with queued requests: times, and how many requests it had answered then.
        self._busy: dict[bytes, deque[tuple[float, float]]] = {}

    def run(self) -> None:
        """Runs until the process exits."""
        while True:
            time.sleep(REFUSING_POLL_SECONDS if self.is_refusing else POLL_SECONDS)
            self.update()

    def update(self) -> None:
        """Polls once. Without an answer nothing changes."""
        text = self._metrics()
        if not text:
            return
        queued, answered = counts(QUEUED, text), counts(ANSWERED, text)
        now = time.monotonic()
        # Evaluated for every model, because each call records its state. An ensemble's slowest step has the longest
        # queue.
        too_long = [self._is_too_long(model, queued[model], answered.get(model, 0.0), now) for model in queued]
        if any(too_long):
            self.is_refusing = True
            with open(self.file, "w", encoding="utf-8"):  # noqa: PTH123 - pathlib costs 10 ms of every start
                pass
        elif max(queued.values(), default=0.0) <= LOW:
            self.stop_refusing()

    def is_empty(self) -> bool:
        """True if the server reports no queued request, or does not answer."""
        return not any(counts(QUEUED, self._metrics()).values())

    def _metrics(self) -> bytes:
        try:
            return request(self._metrics_port, "GET", "/metrics", seconds=ANSWER_SECONDS)[1]
        except NoAnswerError:
            return b""

    def _is_too_long(self, model: bytes, queued: float, answered: float, now: float) -> bool:
        """True if the last queued request would wait longer than MAX_WAIT_SECONDS at the recent rate."""
        busy = self._busy.setdefault(model, deque())
        if not queued:
            busy.clear()
            return False
        busy.append((now, answered))
        while len(busy) > 1 and now - busy[1][0] >= MAX_WAIT_SECONDS:
            busy.popleft()
        since, before = busy[0]
        return queued > HIGH or (now - since >= MAX_WAIT_SECONDS and queued > answered - before)

    def stop_refusing(self) -> None:
        """The models accept requests again."""
        self.is_refusing = False
        if os.path.exists(self.file):  # noqa: PTH110
            os.unlink(self.file)  # noqa: PTH108


def counts(metric: re.Pattern[bytes], text: bytes) -> dict[bytes, float]:
    """{labels (model and version) as in the metrics: value}."""
    return {model: float(count) for model, count in metric.findall(text)}


def refusal_file() -> str:
    """A path of this process, in the folder that is writable in a container with a read-only root."""
    return f"/tmp/triton-refusing-{os.getpid()}"
