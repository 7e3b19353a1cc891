"""Counts what a model reads and answers, and publishes the sums on Triton's metrics port (docs/observe.md).

One call of Triton's metrics takes 20 microseconds. So a request only queues its numbers; a thread adds them up and
publishes the sums once a second.

Annotations are not evaluated: Triton's stub adds some names to pb_utils only after this import.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from metric_families import PREFIX, Family
from step_responses import id_of

SETTING = "TRITON_MODEL_METRICS"
PUBLISH_SECONDS = 1.0
# Of the supervisor's requests, which are not counted: they would distort the shares of labels (supervisor/canary.py).
CANARY_ID = "triton-factory-canary"


def lengths_of(encoded: Any) -> list[int]:
    """The number of tokens of each Encoding; none for an error."""
    return [len(encoding) for encoding in encoded] if isinstance(encoded, list) else []


def is_counted(request: pb_utils.InferenceRequest) -> bool:
    """False for the supervisor's own requests."""
    return id_of(request) != CANARY_ID


class Published:
    """A family in Triton: `totals` are the values of its series so far, `published` those that Triton has."""

    def __init__(self, family: Family, labels: Mapping[str, str]) -> None:
        """Creates all series, with the value 0."""
        self.family = family
        self.totals, self.published = np.zeros(len(family.series)), np.zeros(len(family.series))
        kinds = pb_utils.MetricFamily
        # Kept, because a family that is deleted takes its series with it.
        self.families = {
            suffix: kinds(
                name=family.name + suffix,
                description=family.meaning,
                kind=kinds.GAUGE if family.is_signed and suffix == "_sum" else kinds.COUNTER,
            )
            for suffix in dict.fromkeys(suffix for suffix, _ in family.series)
        }
        self.series = [self.families[suffix].Metric(labels={**labels, **own}) for suffix, own in family.series]

    def publish(self) -> None:
        """Adds to Triton's series what it does not have yet."""
        for index in np.flatnonzero(self.totals - self.published):
            self.series[index].increment(float(self.totals[index] - self.published[index]))
            self.published[index] = self.totals[index]


class ModelMetrics:
    """The families of one step. Without them (switched off, or a Triton without metrics) nothing is counted."""

    def __init__(self, args: Mapping[str, str], families: Mapping[str, Family]) -> None:
        """`args` are those of `initialize`. Every series exists from then on."""
        self._queue: deque[tuple[str, Sequence[Any]]] = deque()
        self._families: Mapping[str, Published] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        if os.environ.get(SETTING) == "off":
            return
        try:
            labels = {"model": _served_model(args), "version": args["model_version"]}
            published = {key: Published(family, labels) for key, family in families.items()}
            self._start_time(labels, args["model_name"])
        except Exception as error:  # pb_utils raises several types; a server without metrics still serves
            log(f"no metrics of model {args['model_name']}: {error}")
            return
        self._families = published
        self._thread.start()

    def _start_time(self, labels: Mapping[str, str], step: str) -> None:
        kinds = pb_utils.MetricFamily
        name, meaning = PREFIX + "start_time_seconds", "When the model was loaded, in seconds since 1970."
        self._started = kinds(name=name, description=meaning, kind=kinds.GAUGE)
        self._started_at = self._started.Metric(labels={**labels, "step": step})
        self._started_at.set(time.time())

    @property
    def is_on(self) -> bool:
        """Whether anything is counted."""
        return bool(self._families)

    def count(self, **values: Sequence[Any]) -> None:
        """Queues values for families, by their key; those of other families are dropped."""
        self._queue.extend(item for item in values.items() if item[0] in self._families)

    def count_texts(
        self,
        requests: Sequence[pb_utils.InferenceRequest],
        encoded: Sequence[Any],
        lengths: Sequence[Sequence[int]],
    ) -> None:
        """Queues the values of `TEXT_FAMILIES`. encoded: Encodings of each request, padded by now, or an error.

        lengths: their numbers of tokens before padding, from `lengths_of`.
        """
        if not self.is_on:
            return
        triples = zip(requests, encoded, lengths, strict=True)
        kept = [(each, own) for request, each, own in triples if own and is_counted(request)]
        rows = [pair for each, own in kept for pair in zip(each, own, strict=True)]
        if rows:
            self.count(
                rows=[len(rows)],
                tokens=[length for _, length in rows],
                truncated=[bool(encoding.overflowing) for encoding, _ in rows],
                graph_tokens=[(length, len(encoding) - length) for encoding, length in rows],
            )

    def close(self) -> None:
        """Ends the thread; to be called by `finalize`, because Triton's metrics end with the model."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=PUBLISH_SECONDS)

    def _run(self) -> None:
        is_failing = False
        while not self._stop.wait(PUBLISH_SECONDS):
            try:
                self.publish()
                is_failing = False
            except Exception as error:  # such as full shared memory: what is not published now is published later
                if not is_failing:
                    log(f"metrics are late: {error}")
                is_failing = True

    def publish(self) -> None:
        """Adds up the queued values and publishes the sums."""
        values: dict[str, list[Any]] = {}
        for key, queued in [self._queue.popleft() for _ in range(len(self._queue))]:
            values.setdefault(key, []).extend(queued)
        for key, counted in values.items():
            family = self._families[key]
            family.totals += family.family.increments(counted) if counted else 0
        for family in self._families.values():
            family.publish()


def _served_model(args: Mapping[str, str]) -> str:
    """The name that clients use; the name of a step alone does not say which model it belongs to."""
    parameters = json.loads(args["model_config"]).get("parameters", {})
    return str(parameters.get("served_model", {}).get("string_value", args["model_name"]))


def log(text: str) -> None:
    """Writes one line to the server's log."""
    print(f"model_metrics: {text}", file=sys.stderr, flush=True)
