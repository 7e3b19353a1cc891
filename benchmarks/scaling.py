"""Texts a second by CPUs: measured on this machine, simulated for more: `python -m benchmarks.scaling build/NAME/TAG`.

The build is a fused model. It is served on 1 CPU and on all CPUs of this machine; clients run beside it. From the last
measurement comes the time that an instance spends outside of the graph. The simulation then repeats what the server
does for any number of CPUs and instances: an instance takes the texts that wait, prepares them on one CPU, runs their
groups side by side on its share of the CPUs, and answers; meanwhile Triton's other threads work. The time for
one CPU is a prediction, too: beside its measurement it shows how far the simulation can be trusted.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import servers
from benchmarks.contestant import target
from benchmarks.loads import Load
from benchmarks.measure import ask
from benchmarks.processes import family, own_cpu_seconds
from benchmarks.spent import Model
from benchmarks.texts import make_texts
from deploy.supervisor.instances import CPUS_EACH
from deploy.supervisor.server import STUB
from utils.repository.served_code import load_shared
from utils.repository.steps import TOKEN_BUDGET

CPUS = (1, 2, 4, 8, 16, 32, 64)
CLIENTS_EACH = 16  # for each CPU: more than a server can keep waiting for
ROOM = 64  # texts that an instance takes at a time: the build's max_batch_size
WINDOW = 16  # texts at a time, to measure the graph
SIMULATED_SECONDS = 4.0
TOLERANCE, SEARCH = 0.01, (0.0, 0.005)


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds of a CPU: of the graph for a token; of an instance's one thread, and of Triton's others, for a text.

    `tokens`: of each text.
    """

    tokens: Sequence[int]
    token: float
    alone: float
    beside: float


@dataclass
class Task:
    """Work of one thread: seconds that are left, and what happens then."""

    left: float
    done: Callable[[], None]


class Server:
    """A simulated server with `instances` on `cpus`. All threads that have work share the CPUs equally."""

    def __init__(self, costs: Costs, cpus: int, instances: int, clients: int) -> None:
        self.costs, self.cpus, self.threads = costs, cpus, max(1, cpus // instances)
        self.waiting = [number % len(costs.tokens) for number in range(clients)]
        self.idle, self.tasks, self.answered = instances, list[Task](), 0

    def run(self, seconds: float) -> float:
        """Texts a second."""
        clock = 0.0
        while clock < seconds:
            while self.idle and self.waiting:
                self._take()
            speed = min(1.0, self.cpus / len(self.tasks))
            step = min(task.left for task in self.tasks)
            clock += step / speed
            for task in self.tasks:
                task.left -= step
            ended = [task for task in self.tasks if task.left <= 1e-12]
            self.tasks = [task for task in self.tasks if task.left > 1e-12]
            for task in ended:
                task.done()
        return self.answered / clock

    def _take(self) -> None:
        texts, self.waiting = self.waiting[:ROOM], self.waiting[ROOM:]
        self.idle -= 1
        self.tasks.append(Task(self.costs.alone * len(texts), lambda: self._compute(texts)))

    def _compute(self, texts: list[int]) -> None:
        """The groups of the texts, longest first, each on the next thread that is free."""
        lengths = [self.costs.tokens[text] for text in texts]
        batches = load_shared("length_batches")
        budget = batches.spread(lengths, TOKEN_BUDGET, self.threads)
        groups = [
            self.costs.token * sum(lengths[place] for place in group)
            for group in batches.length_batches(lengths, budget)
        ]
        left = [len(groups)]

        def ended() -> None:
            left[0] -= 1
            if groups:
                self.tasks.append(Task(groups.pop(0), ended))
            if not left[0]:
                self.idle += 1
                self.tasks.append(Task(self.costs.beside * len(texts), lambda: self._answer(texts)))

        for _ in range(min(self.threads, len(groups))):
            self.tasks.append(Task(groups.pop(0), ended))

    def _answer(self, texts: list[int]) -> None:
        self.answered += len(texts)
        self.waiting += [(text + ROOM) % len(self.costs.tokens) for text in texts]


def simulated(costs: Costs, cpus: int, instances: int, clients: int | None = None) -> float:
    """Texts a second of clients that send the next text when they have the answer to the last."""
    return Server(costs, cpus, instances, clients or CLIENTS_EACH * cpus).run(SIMULATED_SECONDS)


def fitted(costs: Costs, cpus: int, clients: int, texts_per_second: float) -> Costs:
    """With the time outside of the graph for which the simulation gives the measured speed (by bisection)."""
    low, high = SEARCH
    while high - low > TOLERANCE * high:
        middle = (low + high) / 2
        is_slower = simulated(replace(costs, alone=middle), cpus, 1, clients) < texts_per_second
        low, high = (low, middle) if is_slower else (middle, high)
    return replace(costs, alone=(low + high) / 2)


def costs_of(version: Path, texts: Sequence[str]) -> Costs:
    """The graph's processor time, measured in this process."""
    model = Model(version)
    groups = [list(texts[start : start + WINDOW]) for start in range(0, len(texts), WINDOW)]
    spent = sum(model.answer(group)[2] for group in groups)
    tokens = [len(each.ids) for each in model.tokenization.tokenize(model.tokenizer, texts)]
    return Costs(tokens=tokens, token=spent / sum(tokens), alone=0.0, beside=0.0)


def own_seconds(pid: int) -> float:
    """CPU seconds of all processes of a server but its Python stubs."""
    names = {each: Path(f"/proc/{each}/comm").read_text().strip() for each in family(pid)}
    return sum(own_cpu_seconds(each) for each, name in names.items() if name != STUB)


def measured(tree: Path, cpus: int, load: Load, rounds: int, seconds: float) -> Iterator[dict[str, float]]:
    """The figures of each round, the server on the first `cpus` CPUs of this process."""
    name = next((tree / "model_repository").glob("*/1")).parent.name
    usable = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.sched_setaffinity(0, sorted(usable)[:cpus])  # the server inherits it
            with servers.supervised(tree, tree / "model_repository", Path(folder)) as server:
                os.sched_setaffinity(0, usable)
                load_target = target(server, {load.protocol: (load.protocol, name)})
                for _ in range(rounds):
                    before = own_seconds(server.pid)
                    figures = ask(load_target, load, seconds)
                    yield {**figures, "beside": (own_seconds(server.pid) - before) / figures["texts"]}
        finally:
            os.sched_setaffinity(0, usable)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("tree", type=Path, help="build/NAME/TAG of a build with --layout fused, max_batch_size 64")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    tree, here = options.tree.resolve(), len(os.sched_getaffinity(0))
    load = Load(texts="mixed", protocol="http", clients=CLIENTS_EACH * here, batch=1)
    rates: dict[int, float] = {}
    for cpus in sorted({1, here}):
        figures = list(measured(tree, cpus, load, options.rounds, options.seconds))
        rates[cpus] = statistics.median(each["texts_per_second"] for each in figures)
    costs = costs_of(next((tree / "model_repository").glob("*/1")), make_texts("mixed")[:512])
    costs = replace(costs, beside=statistics.median(each["beside"] for each in figures))
    costs = fitted(costs, here, load.clients, rates[here])
    graph = costs.token * statistics.fmean(costs.tokens)
    print(
        f"Milliseconds of a CPU for a text: graph {graph * 1e3:.2f}, the instance's one thread "
        f"{costs.alone * 1e3:.2f}, Triton's other threads {costs.beside * 1e3:.2f}.\n"
    )
    print(f"| CPUs | measured | simulated, 1 instance | simulated, 1 for {CPUS_EACH} CPUs | ratio |")
    print("|---|---|---|---|---|")
    for cpus in CPUS:
        one, several = (simulated(costs, cpus, count) for count in (1, max(1, cpus // CPUS_EACH)))
        rate = f"{rates[cpus]:.0f}" if cpus in rates else ""
        print(f"| {cpus} | {rate} | {one:.0f} | {several:.0f} | {several / one:.2f} |")


if __name__ == "__main__":
    main()
