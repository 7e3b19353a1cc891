"""How many requests wait in Triton's queues; when it is too much, the models are told to refuse what comes.

Triton's own limit (dynamic_batching.default_queue_policy) costs what it saves: a batcher with any such policy does not
notice requests that come while its instance works, and looks for them every 500 ms only (RateLimiter and
DynamicBatchScheduler, seen on 24.10: 4 requests a second from one client where there were 440).
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque

from .canary import NoAnswerError, request

MOST, FEW = 256, 64
# Fewer are too many, too, where a model is slow: more than it answered of late, and it had work all the time.
LONGEST_WAIT = 10.0
# Requests are refused much faster than they are answered.
LOOK, LOOK_AGAIN = 0.25, 0.02
ANSWER_SECONDS = 5.0
# Names, in the environment of the models, the file whose presence tells them to refuse: model_repository/shared.
VARIABLE = "TRITON_REFUSING_FILE"
WAITING = re.compile(rb"(?m)^nv_inference_pending_request_count(\{[^}]*\}) ([0-9.e+]+)$")
ANSWERED = re.compile(rb"(?m)^nv_inference_request_success(\{[^}]*\}) ([0-9.e+]+)$")


class Backlog(threading.Thread):
    """Looks in a thread of its own. `file` is there from when too many requests wait until only few do."""

    def __init__(self, metrics_port: int, file: str) -> None:
        super().__init__(daemon=True)
        self.file = file
        self.refuses = False
        self._metrics_port = metrics_port
        # Since when each model has had work: when, and how many requests it had answered then.
        self._busy: dict[bytes, deque[tuple[float, float]]] = {}

    def run(self) -> None:
        """Until the process ends."""
        while True:
            time.sleep(LOOK_AGAIN if self.refuses else LOOK)
            self.look()

    def look(self) -> None:
        """Once. A server that does not say leaves things as they are."""
        text = self._metrics()
        if not text:
            return
        waiting, answered = counts(WAITING, text), counts(ANSWERED, text)
        # Each model is looked at, for what it has seen; of the steps of an ensemble the slowest has the longest queue.
        is_much = [
            self._is_much(model, waiting[model], answered.get(model, 0.0), time.monotonic()) for model in waiting
        ]
        if any(is_much):
            self.refuses = True
            with open(self.file, "w", encoding="utf-8"):  # noqa: PTH123 - pathlib costs 10 ms of every start
                pass
        elif max(waiting.values(), default=0.0) <= FEW:
            self.end()

    def is_empty(self) -> bool:
        """Does no request wait, as far as the server says?"""
        return not any(counts(WAITING, self._metrics()).values())

    def _metrics(self) -> bytes:
        try:
            return request(self._metrics_port, "GET", "/metrics", seconds=ANSWER_SECONDS)[1]
        except NoAnswerError:
            return b""

    def _is_much(self, model: bytes, waiting: float, answered: float, now: float) -> bool:
        """Would the last of them wait longer than LONGEST_WAIT, at the pace of the time before?"""
        busy = self._busy.setdefault(model, deque())
        if not waiting:
            busy.clear()
            return False
        busy.append((now, answered))
        while len(busy) > 1 and now - busy[1][0] >= LONGEST_WAIT:
            busy.popleft()
        since, before = busy[0]
        return waiting > MOST or (now - since >= LONGEST_WAIT and waiting > answered - before)

    def end(self) -> None:
        """The models take requests again."""
        self.refuses = False
        if os.path.exists(self.file):  # noqa: PTH110
            os.unlink(self.file)  # noqa: PTH108


def counts(metric: re.Pattern[bytes], text: bytes) -> dict[bytes, float]:
    """Of each model, by its name and version as the metrics have them."""
    return {model: float(count) for model, count in metric.findall(text)}


def place() -> str:
    """A file of this process's own where a container with a read-only root can write."""
    return f"/tmp/triton-refusing-{os.getpid()}"
