"""What the guard costs a request at most: `python -m benchmarks.guard`. For one model see benchmarks.guard_latency.

`wrk` sends a small inference request to nginx, which answers at once: directly, through the guard with one and with two
processes, and through HAProxy with the rules that it can express. The ways are measured in turns; a figure is the
median of the rounds. Processor time is that of the proxy's processes only. Needs the Debian packages wrk and
nginx-light, and for its rows haproxy.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.supervisor.body_limits import Rules
from deploy.supervisor.guard import Place
from utils.diagnosis.target import infer_body
from utils.triton.address import answers
from utils.triton.ports import choose_ports

CLIENTS = (1, 32)
CORES = 4  # of the computed figure
LIMIT = 64 << 20
TEXT = "the package arrived two days late and the box was damaged, but the support team answered within an hour"
ANSWER = json.dumps({"model_name": "m", "outputs": [{"name": "label", "datatype": "BYTES", "data": ["positive"] * 4}]})
# wrk's script: the request, and a last line with the figures.
LOAD = f"""
wrk.method, wrk.path, wrk.body = "POST", "/v2/models/m/infer", [[{infer_body([TEXT]).decode()}]]
for name, value in pairs({{["Content-Type"] = "application/json", ["Accept-Encoding"] = "gzip, deflate",
    ["Accept"] = "*/*", ["Connection"] = "keep-alive", ["User-Agent"] = "python-requests/2.32.3"}}) do
  wrk.headers[name] = value
end
done = function(summary, latency)
  local wrong = summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  print("FIGURES", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), wrong)
end
"""
NGINX = """
daemon off; master_process off; worker_processes 1; pid FOLDER/nginx.pid; error_log FOLDER/nginx.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; client_body_temp_path FOLDER/body; default_type application/json;
  server { listen 127.0.0.1:PORT; location / { return 200 'ANSWER'; } }
}
"""
# What a release with a sound parser still needs. HAProxy knows no size of a chunked or decompressed body.
HAPROXY = f"""
global
  nbthread 1
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
frontend clients
  bind 127.0.0.1:PORT
  http-request deny status 400 if {{ req.hdr_cnt(inference-header-content-length) gt 0 }} \
!{{ req.fhdr(inference-header-content-length) -m reg ^[0-9]{{1,9}}$ }}
  http-request deny status 413 if {{ req.body_size gt {LIMIT} }}
  http-request set-var(txn.id) req.fhdr(x-request-id)
  http-request set-var(txn.id) uuid() unless {{ var(txn.id) -m found }}
  http-response set-header X-Request-Id %[var(txn.id)]
  default_backend triton
backend triton
  server triton 127.0.0.1:UPSTREAM
"""


@dataclass
class Way:
    """A way to the server: its port, the processes that listen there, and the figures of each round by clients."""

    port: int
    pids: Sequence[int] = ()
    rounds: dict[int, list[dict[str, float]]] = field(default_factory=dict)

    def median(self, clients: int, figure: str) -> float:
        """Over the rounds."""
        return statistics.median(each[figure] for each in self.rounds[clients])


@contextmanager
def _running(command: Sequence[str], port: int, stdin: int = subprocess.DEVNULL) -> Iterator[int]:
    """The process id of a server that listens on the port. RuntimeError if it ends at once."""
    process = subprocess.Popen(command, stdin=stdin, start_new_session=True)
    try:
        while not answers(f"127.0.0.1:{port}", "/v2/health/live", timeout=5):
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with exit code {process.returncode}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def configured(stack: ExitStack, folder: Path, text: str, upstream: int = 0) -> Way:
    """Runs nginx, or HAProxy in front of `upstream`."""
    name, port = "haproxy" if upstream else "nginx", choose_ports("127.0.0.1", {"http": 0})["http"]
    values = {"FOLDER": str(folder), "ANSWER": ANSWER, "UPSTREAM": str(upstream), "PORT": str(port)}
    (folder / name).write_text(re.sub("|".join(values), lambda found: values[found[0]], text))
    option = ["-db", "-f"] if upstream else ["-c"]
    return Way(port, [stack.enter_context(_running([name, *option, str(folder / name)], port))])


def _guard(stack: ExitStack, upstream: int, processes: int) -> Way:
    place = Place("127.0.0.1", 0, Rules(LIMIT), processes=processes)
    port = place.listening.getsockname()[1]
    command = place.command(sys.executable)
    command[command.index(str(place.upstream[1]))] = str(upstream)
    way = Way(port, [stack.enter_context(_running(command, port, place.listening.fileno())) for _ in range(processes)])
    place.listening.close()
    return way


def proxies(stack: ExitStack, folder: Path, upstream: int) -> dict[str, Way]:
    """The guard, and HAProxy if installed, before a server's port until the stack is closed; files are in `folder`."""
    ways = {f"guard, processes: {number}": _guard(stack, upstream, number) for number in (1, 2)}
    if shutil.which("haproxy"):
        ways["HAProxy, 1 thread"] = configured(stack, folder, HAPROXY, upstream)
    return ways


def cpu_seconds(pids: Sequence[int]) -> float:
    """Of processes with one thread. Source: the kernel's Documentation/scheduler/sched-stats (nanoseconds)."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


def _measured(way: Way, script: Path, clients: int, seconds: float) -> dict[str, float]:
    """requests_per_second, p50_us, p99_us, and cpu_us of the proxy for a request. RuntimeError if a request failed."""
    before = cpu_seconds(way.pids)
    command = [
        "wrk",
        "-t1",
        "--timeout=20s",
        f"-c{clients}",
        f"-d{seconds:g}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{way.port}",
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"FIGURES\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", shown)
    if not found or float(found[5]) or not float(found[1]):
        raise RuntimeError(f"requests failed:\n{shown}")
    requests, duration, p50, p99, _ = map(float, found.groups())
    spent = (cpu_seconds(way.pids) - before) * 1e6 / requests
    return {"requests_per_second": requests / duration * 1e6, "p50_us": p50, "p99_us": p99, "cpu_us": spent}


def _table(ways: dict[str, Way], clients: int) -> Iterator[str]:
    """Rows of Markdown; the first way is the one without a proxy."""
    direct, *_ = ways.values()
    for name, way in ways.items():
        added = statistics.median(
            each["p50_us"] - base["p50_us"]
            for each, base in zip(way.rounds[clients], direct.rounds[clients], strict=True)
        )
        cells = [f"{way.median(clients, figure):,.0f}" for figure in ("requests_per_second", "p50_us", "p99_us")]
        cells += ["", "", ""]
        if way is not direct:
            spent = way.median(clients, "cpu_us")
            cells[3:] = f"{added:,.0f}", f"{spent:.1f}", f"{CORES * 1e6 / spent:,.0f}"
        yield f"| {clients} | {name} | {' | '.join(cells)} |"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a measurement (default: %(default)s)")
    options = parser.parse_args()
    if not (shutil.which("wrk") and shutil.which("nginx")):
        parser.error("wrk or nginx is not installed; run: apt-get install wrk nginx-light")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        script = folder / "load.lua"
        script.write_text(LOAD)
        nginx = configured(stack, folder, NGINX)
        ways = {"no proxy": nginx, **proxies(stack, folder, nginx.port)}
        for _ in range(options.rounds):
            for clients in CLIENTS:
                for way in ways.values():
                    way.rounds.setdefault(clients, []).append(_measured(way, script, clients, options.seconds))
    print(f"| clients | way | requests/s | p50, us | p99, us | added p50, us | CPU, us | {CORES} cores, requests/s |")
    print("|---|---|---|---|---|---|---|---|")
    for clients in CLIENTS:
        print("\n".join(_table(ways, clients)))


if __name__ == "__main__":
    main()
