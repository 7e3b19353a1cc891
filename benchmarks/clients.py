"""The clients: `python -m benchmarks.clients ...` asks one server for some seconds and prints one JSON object.

A process of its own, so that its work is not counted as the server's. Each client sends its next request when it has
the answer to the last (closed loop).
"""

import argparse
import json
import sys
import threading
import time

import numpy as np

from benchmarks.asking import KINDS
from benchmarks.texts import LENGTHS, make_texts


class Crowd:
    """`clients` threads that ask until they are told to stop."""

    def __init__(self, options: argparse.Namespace) -> None:
        texts, batch = make_texts(options.texts), options.batch
        self.options, self.way = options, KINDS[options.kind](options.address, options.model)
        self.requests = [self.way.body(texts[place : place + batch]) for place in range(0, len(texts), batch)]
        self.latencies: list[float] = []
        self.failures: list[str] = []
        self.barrier = threading.Barrier(options.clients + 1)
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(client,)) for client in range(options.clients)]

    def _work(self, client: int) -> None:
        try:
            with self.way.connected() as send:
                self.way.labels(send(self.requests[0]))  # connected and warm before the clock starts
                self.barrier.wait(60)
                place = client * 37
                while not self.stop.is_set():
                    started = time.perf_counter()
                    send(self.requests[place % len(self.requests)])
                    self.latencies.append(time.perf_counter() - started)
                    place += 1
        except Exception as error:
            self.failures.append(repr(error))
            self.barrier.abort()

    def run(self) -> dict[str, float]:
        """Texts a second, and the latencies' percentiles in milliseconds; RuntimeError when any client failed."""
        for thread in self.threads:
            thread.start()
        try:
            self.barrier.wait(60)
            print("started", file=sys.stderr, flush=True)
            started = time.perf_counter()
            self.stop.wait(self.options.seconds)
            counted, elapsed = len(self.latencies), time.perf_counter() - started
            print("stopped", file=sys.stderr, flush=True)
        except threading.BrokenBarrierError:
            counted, elapsed = 0, 1.0
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.failures or not counted:
            raise RuntimeError(f"{counted} answers, {len(self.failures)} failed clients: {self.failures[:1]}")
        p50, p99 = np.percentile(self.latencies, [50, 99])
        texts = counted * self.options.batch
        return {"texts_per_second": texts / elapsed, "texts": texts, "p50_ms": p50 * 1e3, "p99_ms": p99 * 1e3}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--address", required=True, help="HOST:PORT")
    parser.add_argument("--model", default="", help="name of the served model; NAME@TOKENIZER_FOLDER for tokens")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--texts", choices=LENGTHS, default="mixed")
    print(json.dumps(Crowd(parser.parse_args()).run()))


if __name__ == "__main__":
    main()
