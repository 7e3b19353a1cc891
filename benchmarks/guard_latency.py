"""What the guard costs one client of a model: `python -m benchmarks.guard_latency MODEL_REPOSITORY`.

One client sends a small request to Triton, in blocks of a few: directly, through the guard and through HAProxy, in
turns. The added time is the median difference between the blocks of a round, so a machine that is busy for a while
slows all ways. HAProxy has a row if it is installed.
"""

import argparse
import http.client
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.guard import TEXT, Way, cpu_seconds, proxies
from utils.diagnosis.target import infer_body
from utils.triton.server import serve

BLOCK = 20


class Client:
    """One kept connection to a way. `blocks`: the median time of each block of requests, in seconds."""

    def __init__(self, way: Way, model: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", way.port, timeout=30)
        self._path, self._body = f"/v2/models/{model}/infer", infer_body([TEXT])
        self._pids = way.pids
        self.start()

    def start(self) -> None:
        """Forgets the blocks so far."""
        self.blocks: list[float] = []
        self._spent = cpu_seconds(self._pids)

    def ask(self) -> None:
        """Adds a block. RuntimeError for an error."""
        times = []
        for _ in range(BLOCK):
            started = time.perf_counter()
            self._connection.request("POST", self._path, self._body)
            response = self._connection.getresponse()
            response.read()
            times.append(time.perf_counter() - started)
            if response.status != http.client.OK:
                raise RuntimeError(f"status {response.status}")
        self.blocks.append(statistics.median(times))

    def cpu_seconds(self) -> float:
        """Processor time of the proxy for a request."""
        return (cpu_seconds(self._pids) - self._spent) / BLOCK / len(self.blocks)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard_latency", description=__doc__)
    parser.add_argument("repository", type=Path, help="build/NAME/TAG/model_repository of a model that takes a text")
    parser.add_argument("--rounds", type=int, default=100, help="(default: %(default)s)")
    options = parser.parse_args()
    repository = options.repository.resolve()
    os.environ["TRITON_GUARD"] = "never"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        port = int(stack.enter_context(serve(repository)).address.http.rpartition(":")[2])
        ways = {"no proxy": Way(port), **proxies(stack, Path(folder), port)}
        clients = {name: Client(way, repository.parents[1].name) for name, way in ways.items()}
        for client in list(clients.values()) * 3:
            client.ask()
        for client in clients.values():
            client.start()
        for number in range(options.rounds):
            turn = number % len(clients)
            for client in [*clients.values()][turn:] + [*clients.values()][:turn]:
                client.ask()
        direct = clients["no proxy"].blocks
        print("| way | p50, us | added, us | added share of p50 | CPU, us |\n|---|---|---|---|---|")
        for name, client in clients.items():
            added = statistics.median(with_it - without for with_it, without in zip(client.blocks, direct, strict=True))
            p50, share = statistics.median(client.blocks), added / statistics.median(direct)
            print(
                f"| {name} | {p50 * 1e6:,.0f} | {added * 1e6:,.0f} | {share:.1%} | {client.cpu_seconds() * 1e6:.0f} |"
            )


if __name__ == "__main__":
    main()
