"""What a setting of the image costs: `python -m benchmarks.setting_cost MODEL_REPOSITORY TRITON_GUARD=never,always`.

The repository is served with each of the two values under the image's supervisor, and the two are asked in turns; a
ratio is the median of those within one round.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.contestant import Target
from benchmarks.loads import PROTOCOLS, Load
from benchmarks.measure import ask
from utils import ROOT
from utils.host.environments import SERVING
from utils.triton.address import ServerAddress
from utils.triton.layout import inspect_interpreter
from utils.triton.ports import choose_ports
from utils.triton.server import SERVICES, triton_for

FIGURES = {"texts_per_second": "texts/s", "p50_ms": "p50, ms", "p99_ms": "p99, ms", "cpu_ms_per_text": "CPU ms/text"}
CLIENTS = (1, 8, 32)
READY_SECONDS = 120


@contextmanager
def supervised(repository: Path, model: str, variable: str, value: str) -> Iterator[Target]:
    """The server, as in the image: the supervisor with this setting, its log in a file. RuntimeError if it ends."""
    python, triton = triton_for(SERVING)
    libraries = [triton / "lib", *inspect_interpreter(python).library_path()]
    ports = choose_ports("127.0.0.1", dict.fromkeys(SERVICES, 0))
    address = ServerAddress(http=f"127.0.0.1:{ports['http']}", grpc=f"127.0.0.1:{ports['grpc']}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "deploy/supervisor", folder / "supervisor")
        for file in (ROOT / "deploy/supervise.py", repository.parent / "golden.json"):
            shutil.copy(file, folder)
        variables = {
            **os.environ,
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
            "ORT_DISABLE_TELEMETRY": "1",
            **{f"TRITON_{service.upper()}_PORT": str(port) for service, port in ports.items()},
            variable: value,
        }
        command = [str(python), "-I", "-S", str(folder / "supervise.py"), str(triton / "bin/tritonserver")]
        command += [f"--model-repository={repository}", f"--backend-directory={triton}/backends"]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=triton)
        try:
            started = time.monotonic()
            while not address.is_ready(timeout=5):
                if process.poll() is not None or time.monotonic() - started > READY_SECONDS:
                    raise RuntimeError(f"the server is not ready:\n{Path(folder, 'log').read_text(errors='replace')}")
                time.sleep(0.05)
            ways = {"http": ("http", address.http, model), "grpc": ("grpc", address.grpc, model)}
            yield Target(pid=process.pid, seconds=time.monotonic() - started, ways=ways)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def measure(
    repository: Path, model: str, setting: tuple[str, str, str], loads: Sequence[Load], rounds: int, seconds: float
) -> dict[Load, dict[str, list[list[float]]]]:
    """{load: {figure: [[without, with] of each round]}}. setting: the variable, its value without, its value with."""
    found: dict[Load, dict[str, list[list[float]]]] = {load: {figure: [] for figure in FIGURES} for load in loads}
    name, *choices = setting
    with ExitStack() as stack:
        targets = [stack.enter_context(supervised(repository, model, name, choice)) for choice in choices]
        for target in targets:
            ask(target, loads[0], seconds)  # a first one, to warm up
        for number in range(rounds):
            for load, figures in found.items():
                order = (0, 1) if number % 2 else (1, 0)
                measured = {place: ask(targets[place], load, seconds) for place in order}
                for figure, values in figures.items():
                    values.append([measured[place][figure] for place in (0, 1)])
    return found


def _setting(text: str) -> tuple[str, str, str]:
    name, _, values = text.partition("=")
    without, _, chosen = values.partition(",")
    if not (name and without and chosen):
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=WITHOUT,WITH")
    return name, without, chosen


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.setting_cost", description=__doc__)
    parser.add_argument("repository", type=Path, help="build/NAME/TAG/model_repository of a model that takes a text")
    parser.add_argument("setting", type=_setting, help="a variable of the server and its two values")
    parser.add_argument("--model", help="name of the served model (default: that in the path, as the build made it)")
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), default="http", help="(default: %(default)s)")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    repository = options.repository.resolve()
    loads = [Load(texts="mixed", protocol=options.protocol, clients=each, batch=1) for each in options.clients]
    model = options.model or repository.parents[1].name
    found = measure(repository, model, options.setting, loads, options.rounds, options.seconds)
    print(
        f"| clients | figure | {'='.join(options.setting[:2])} | {options.setting[2]} | ratio |\n|---|---|---|---|---|"
    )
    for load, figures in found.items():
        for figure, values in figures.items():
            medians = [statistics.median(column) for column in zip(*values, strict=True)]
            ratio = statistics.median(after / before for before, after in values)
            print(f"| {load.clients} | {FIGURES[figure]} | {medians[0]:.2f} | {medians[1]:.2f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
