"""How many requests wait in Triton's queues; when they are too many, the models are told to refuse what comes.

Triton's own limit (dynamic_batching.default_queue_policy) costs what it saves: a batcher with any such policy does not
notice requests that come while its instance works, and looks for them every 500 ms only (RateLimiter and
DynamicBatchScheduler, seen on 24.10: 4 requests a second from one client where there were 440).
"""

from __future__ import annotations

import os
import re
import threading
import time

from .canary import NoAnswerError, request

MOST, FEW = 256, 64
# Requests are refused much faster than they are answered.
LOOK, LOOK_AGAIN = 0.25, 0.02
ANSWER_SECONDS = 5.0
# Names, in the environment of the models, the file whose presence tells them to refuse: model_repository/shared.
VARIABLE = "TRITON_REFUSING_FILE"
WAITING = re.compile(rb"(?m)^nv_inference_pending_request_count\{[^}]*\} ([0-9.e+]+)$")


class Backlog(threading.Thread):
    """Looks in a thread of its own. `file` is there while more than MOST requests wait, and until only FEW do."""

    def __init__(self, metrics_port: int, file: str) -> None:
        super().__init__(daemon=True)
        self.file = file
        self.refuses = False
        self._metrics_port = metrics_port

    def run(self) -> None:
        """Until the process ends."""
        while True:
            time.sleep(LOOK_AGAIN if self.refuses else LOOK)
            self.look()

    def look(self) -> None:
        """Once. A server that does not say leaves things as they are."""
        try:
            _, text = request(self._metrics_port, "GET", "/metrics", seconds=ANSWER_SECONDS)
        except NoAnswerError:
            return
        # Of the steps of an ensemble the slowest has the longest queue.
        waiting = max(map(float, WAITING.findall(text)), default=0.0)
        if waiting > MOST:
            self.refuses = True
            with open(self.file, "w", encoding="utf-8"):  # noqa: PTH123 - pathlib costs 10 ms of every start
                pass
        elif waiting <= FEW:
            self.end()

    def end(self) -> None:
        """The models take requests again."""
        self.refuses = False
        if os.path.exists(self.file):  # noqa: PTH110
            os.unlink(self.file)  # noqa: PTH108


def place() -> str:
    """A file of this process's own where a container with a read-only root can write."""
    return f"/tmp/triton-refusing-{os.getpid()}"
