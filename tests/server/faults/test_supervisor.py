"""Rows 12, 13 and 17: the supervisor with a real server that dies, hangs, answers incorrectly or is terminated."""

import json
import os
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.faults.conftest import ONE_LAYOUT
from tests.server.faults.supervised import lay_out_serving, regions, supervised
from tests.server.faults.target import Target
from utils.diagnosis.target import GOOD, infer_body

NOT_READY, ENDED, DRAINED = 5, 15, 10
# (file of the last step, or of the only one; line, what to do behind it once a flag is there)
HANG = (
    "model.py",
    "    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:\n",
    "        while os.path.exists({flag!r}): time.sleep(0.1)\n",
)
LIE = (
    "step_responses.py",
    "def _response(outputs: Any, parameters: Mapping[str, str]) -> pb_utils.InferenceResponse:\n",
    "    if os.path.exists({flag!r}) and isinstance(outputs, dict):\n"
    "        outputs = {{name: array * array.dtype.type(0.9) if array.dtype.kind == 'f' else array"
    " for name, array in outputs.items()}}\n",
)


@pytest.fixture
def harmed(built, layout, tmp_path):
    """harmed(HANG or LIE) -> (repository, flag): a copy whose last step does it once the flag file exists."""
    last = {"ensemble": "post_processing/1", "fused": f"{built[0]}/1"}[layout]

    def make(harm):
        name, line, code = harm
        copy, flag = shutil.copytree(built[1], tmp_path / "models"), tmp_path / "flag"
        text = (copy / last / name).read_text()
        assert line in text
        text = text.replace("\nimport ", "\nimport os\nimport time\nimport ", 1)
        (copy / last / name).unlink()
        (copy / last / name).write_text(text.replace(line, line + code.format(flag=str(flag))))
        return copy, flag

    return make


def assert_ends(server, harm, not_ready=NOT_READY):
    """After `harm()`: not ready within `not_ready` seconds, ended with 1 within 15 s, and nothing left."""
    pids, shared = list(server.family()), regions(server.stubs())
    assert shared
    started = time.monotonic()
    harm()
    while server.process.poll() is None:
        assert time.monotonic() - started <= ENDED, server.log_text()
        assert time.monotonic() - started <= not_ready or server.status() != 200, server.log_text()
        time.sleep(0.05)
    assert server.process.returncode == 1, server.log_text()
    assert server.status() == 0
    assert not any(runs(pid) for pid in pids)
    assert not any(region.exists() for region in shared)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.long("ensemble-0-9", "ensemble--1-19", "fused-0-11")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
@pytest.mark.parametrize(("layout", "which"), [("ensemble", 0), ("ensemble", -1), ("fused", 0)], indirect=["layout"])
def test_a_stub_that_dies_or_stops_ends_the_server(run, which, number):
    server = run()
    assert_ends(server, lambda: os.kill(server.stubs()[which], number))
    message = f"process {'id ' if number != signal.SIGSTOP else ''}"
    assert message in server.log_text().splitlines()[-1]


@ONE_LAYOUT
def test_a_model_s_own_child_process_may_exit(run, built, tmp_path):
    copy = shutil.copytree(built[1], tmp_path / "models")
    file = copy / built[0] / "1/model.py"
    text = file.read_text()
    file.unlink()
    fork = "import os, time\nif os.fork() == 0:\n    time.sleep(0.5)\n    os._exit(0)\n"
    file.write_text(text.replace("\nimport ", f"\n{fork}import ", 1))
    server = run(copy)
    time.sleep(2)
    assert server.process.poll() is None and server.status() == 200


@ONE_LAYOUT
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_stops_ends_the_supervisor(run, number):
    server = run()
    assert_ends(server, lambda: os.kill(server.pid, number))


@ONE_LAYOUT
@pytest.mark.parametrize(("number", "processes"), [(signal.SIGKILL, 1), (signal.SIGKILL, 3), (signal.SIGSTOP, 2)])
def test_a_guard_that_dies_or_stops_ends_the_server(run, number, processes):
    """One process of it is enough."""
    server = run(TRITON_GUARD_PROCESSES=str(processes))
    *others, guard = server.guards
    assert len(others) == processes - 1
    assert_ends(server, lambda: os.kill(guard, number))
    message = f"the guard with process id {guard} ended" if number == signal.SIGKILL else f"process {guard} is stopped"
    assert message in server.log_text().splitlines()[-1]


@pytest.mark.long("fused")
def test_a_hanging_step_ends_the_server(run, harmed):
    repository, flag = harmed(HANG)
    server = run(repository)
    assert server.is_healthy()
    assert_ends(server, flag.touch, not_ready=ENDED)
    assert "the server hangs" in server.log_text()


@pytest.mark.long("fused")
def test_wrong_answers_end_the_server(run, harmed):
    repository, flag = harmed(LIE)
    server = run(repository)
    flag.touch()
    assert not server.is_healthy()
    assert server.process.wait(ENDED) == 1
    assert "returns a wrong answer" in server.log_text()


@ONE_LAYOUT
def test_a_stub_that_crashes_while_it_loads_ends_the_start(run, built, tmp_path):
    copy = shutil.copytree(built[1], tmp_path / "models")
    file = copy / built[0] / "1/model.py"
    file.unlink()
    file.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    server = run(copy, ready=False)
    assert server.process.wait(ENDED) == 1, server.log_text()
    assert "stub" in server.log_text()


@ONE_LAYOUT
def test_no_client_is_admitted_before_the_canary_passes(built, serving, tmp_path):
    """Row 17, with golden answers that the server does not return: it runs, and no client is admitted."""
    golden = json.loads((serving / "golden.json").read_text())
    for row in golden["rows"]:
        row["outputs"]["scores"]["data"] = [score + 0.01 for score in row["outputs"]["scores"]["data"]]
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    folder = lay_out_serving(tmp_path / "opt", tmp_path / "golden.json")
    with supervised(built[1], folder, tmp_path) as server:
        seen = set()
        while server.process.poll() is None:
            seen.add(server.status())
        assert server.process.returncode == 1
    assert 503 in seen and 200 not in seen
    assert "returns a wrong answer" in server.log_text()


@ONE_LAYOUT
def test_the_gate_opens_with_the_first_right_answer(run):
    server = run(ready=False)
    seen = []
    while server.process.poll() is None and (not seen or seen[-1] != 200):
        seen.append(server.status())
    assert 503 in seen
    assert "supervisor: ready" in server.log_text()


@ONE_LAYOUT
def test_a_taken_port_ends_the_start_at_once(built, serving, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with supervised(built[1], serving, tmp_path, TRITON_HTTP_PORT=port) as server:
            assert server.process.wait(10) == 1
            assert "Address already in use" in server.log_text()


@ONE_LAYOUT
def test_an_invalid_setting_exits_with_2(built, serving, tmp_path):
    with supervised(built[1], serving, tmp_path, TRITON_ADMIN_KEY="short") as server:
        assert server.process.wait(10) == 2
    assert "the key in TRITON_ADMIN_KEY must be" in server.log_text() and "short" not in server.log_text()


@pytest.mark.long("fused")
def test_all_requests_in_flight_are_answered_before_the_end(run, built):
    """Row 13: 100 requests, and an idle connection that stays open."""
    server = run()
    shared = regions(server.stubs())
    target = Target(server, built[0])
    idle = target.connect()
    idle.request("GET", "/v2/health/ready")
    idle.getresponse().read()
    connections = [target.connect() for _ in range(100)]
    body = infer_body([f"{GOOD} {'again ' * 50}"] * 4)
    for connection in connections:
        connection.request("POST", f"/v2/models/{built[0]}/infer", body)
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    with ThreadPoolExecutor(100) as pool:
        statuses = list(pool.map(lambda each: each.getresponse().status, connections))
    assert statuses == [200] * 100
    assert server.process.wait(DRAINED) == 0, server.log_text()
    assert time.monotonic() - started <= DRAINED
    assert shared and not any(region.exists() for region in shared)


@ONE_LAYOUT
def test_a_signal_ends_a_start(run):
    server = run(ready=False)
    while server.status() != 503:
        assert server.process.poll() is None, server.log_text()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(DRAINED) == 0


@pytest.mark.long("fused")
def test_overload_is_refused_and_survived(run, built):
    """More requests than the queue allows: each gets 200 or 503, and the server continues."""
    server = run()
    target = Target(server, built[0])
    body = infer_body([f"{GOOD} {'again ' * 400}"] * 8)
    connections = [target.connect() for _ in range(600)]
    for connection in connections:
        connection.request("POST", f"/v2/models/{built[0]}/infer", body)
    replies = [connection.getresponse() for connection in connections]
    statuses = [(reply.status, reply.read()) for reply in replies]
    assert {status for status, _ in statuses} == {200, 503}
    refusals = [json.loads(text)["error"] for status, text in statuses if status == 503]
    assert all("too many requests wait" in each for each in refusals), refusals[0]
    time.sleep(0.5)  # until the supervisor has seen that nobody waits any more
    target.assert_unharmed()
    assert server.is_healthy() and server.process.poll() is None
