"""Rows 12, 13, 16 and 17: the supervisor around a real server, which may die, hang, answer wrong, or be told to end."""

import json
import os
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tritonclient.grpc

from tests.server.faults.supervised import lay_out_serving, regions, supervised
from tests.server.faults.target import GOOD, Target, infer_body

NOT_READY, ENDED, DRAINED = 5, 15, 10
KEY = "a-key-of-24-characters.."
# (file of the last step, or of the only one; line, what to do behind it once a flag is there)
HANG = ("model.py", "    def execute(self, requests):\n", "        while os.path.exists({flag!r}): time.sleep(0.1)\n")
LIE = (
    "step_responses.py",
    "def _response(outputs):\n",
    "    if os.path.exists({flag!r}) and isinstance(outputs, dict):\n"
    "        outputs = {{name: array * array.dtype.type(0.9) if array.dtype.kind == 'f' else array"
    " for name, array in outputs.items()}}\n",
)


# Asks about the server around the model, which is the same in each layout.
ENSEMBLE_ONLY = pytest.mark.parametrize("layout", ["ensemble"], indirect=True)


@pytest.fixture(scope="module")
def serving(built, tmp_path_factory):
    return lay_out_serving(tmp_path_factory.mktemp("serving") / "opt", built[1].parent / "golden.json")


@pytest.fixture
def run(built, serving, tmp_path):
    """run(**settings): the supervisor on the built repository, ready."""
    made = []

    def start(repository=built[1], folder=serving, *, ready=True, **settings):
        server = supervised(repository, folder, tmp_path, **settings)
        made.append(server)
        entered = server.__enter__()
        return entered.wait_until_ready() if ready else entered

    yield start
    for server in made:
        server.__exit__(None, None, None)


@pytest.fixture
def harmed(built, layout, tmp_path):
    """harmed(HANG or LIE) -> (repository, flag): a copy whose last step does it as soon as the flag is there."""
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
        assert time.monotonic() - started <= ENDED, server.said()
        assert time.monotonic() - started <= not_ready or server.status() != 200, server.said()
        time.sleep(0.05)
    assert server.process.returncode == 1, server.said()
    assert server.status() == 0
    assert not any(runs(pid) for pid in pids)
    assert not any(region.exists() for region in shared)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
@pytest.mark.parametrize(("layout", "which"), [("ensemble", 0), ("ensemble", -1), ("fused", 0)], indirect=["layout"])
def test_a_stub_that_dies_or_stops_ends_the_server(run, which, number):
    server = run()
    assert_ends(server, lambda: os.kill(server.stubs()[which], number))
    said = f"process {'id ' if number != signal.SIGSTOP else ''}"
    assert said in server.said().splitlines()[-1]


@ENSEMBLE_ONLY
def test_a_process_that_a_model_starts_may_end(run, built, tmp_path):
    copy = shutil.copytree(built[1], tmp_path / "models")
    file = copy / "post_processing/1/model.py"
    text = file.read_text()
    file.unlink()
    fork = "import os, time\nif os.fork() == 0:\n    time.sleep(0.5)\n    os._exit(0)\n"
    file.write_text(text.replace("\nimport ", f"\n{fork}import ", 1))
    server = run(copy)
    time.sleep(2)
    assert server.process.poll() is None and server.status() == 200


@ENSEMBLE_ONLY
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_stops_is_told(run, number):
    server = run()
    assert_ends(server, lambda: os.kill(server.pid, number))


@ENSEMBLE_ONLY
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_guard_that_dies_or_stops_ends_the_server(run, number):
    server = run()
    guard = server.guard
    assert_ends(server, lambda: os.kill(guard, number))
    said = f"the guard with process id {guard} ended" if number == signal.SIGKILL else f"process {guard} is stopped"
    assert said in server.said().splitlines()[-1]


@ENSEMBLE_ONLY
@pytest.mark.parametrize(
    "settings", [{"TRITON_GUARD": "never"}, {"TRITON_GUARD": "auto", "TRITON_MAX_INPUT_BYTES": "0"}]
)
def test_a_server_without_a_guard(run, built, settings):
    server = run(**settings)
    assert server.guard is None
    assert Target(server, built[0]).infer(b" " * 70_000_000).status == 500
    assert "a guard is before Triton" not in server.said()


@ENSEMBLE_ONLY
def test_a_guard_without_a_limit_looks_after_all_else(run, built):
    server = run(TRITON_MAX_INPUT_BYTES="0")
    target = Target(server, built[0])
    assert target.infer(infer_body(["a" * 70_000_000])).status == 200
    assert [target.infer(body).status for body in (b"[" * 5000, infer_body(data=[3]))] == [400, 400]
    target.assert_unharmed()
    assert "a guard is before Triton: it refuses request bodies that would end it, of any size" in server.said()


@ENSEMBLE_ONLY
def test_a_guard_keeps_the_limit_that_was_set(run, built):
    server = run(TRITON_MAX_INPUT_BYTES="2000")
    target = Target(server, built[0])
    assert target.infer(b" " * 2001).status == 413
    target.assert_unharmed()
    assert "Started Metrics Service at 0.0.0.0:" in server.said(), "which by default follows HTTP's address"
    assert "Started HTTPService at 127.0.0.1:" in server.said()


def test_a_step_that_hangs_is_found(run, harmed):
    repository, flag = harmed(HANG)
    server = run(repository)
    assert server.is_healthy()
    assert_ends(server, flag.touch, not_ready=ENDED)
    assert "the server hangs" in server.said()


def test_wrong_answers_end_the_server(run, harmed):
    repository, flag = harmed(LIE)
    server = run(repository)
    flag.touch()
    assert not server.is_healthy()
    assert server.process.wait(ENDED) == 1
    assert "does not answer as it must" in server.said()


@ENSEMBLE_ONLY
def test_a_stub_that_crashes_while_it_loads_ends_the_start(run, built, tmp_path):
    copy = shutil.copytree(built[1], tmp_path / "models")
    file = copy / "post_processing/1/model.py"
    file.unlink()
    file.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    server = run(copy, ready=False)
    assert server.process.wait(ENDED) == 1, server.said()
    assert "stub" in server.said()


@ENSEMBLE_ONLY
def test_nobody_is_let_to_a_server_before_the_canary_was_right(built, serving, tmp_path):
    """Row 17, with golden answers that the server does not give: it is up, and no client ever learns so."""
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
    assert "does not answer as it must" in server.said()


@ENSEMBLE_ONLY
def test_the_gate_opens_with_the_first_right_answer(run):
    server = run(ready=False)
    seen = []
    while server.process.poll() is None and (not seen or seen[-1] != 200):
        seen.append(server.status())
    assert 503 in seen
    assert "supervisor: ready" in server.said()


@ENSEMBLE_ONLY
def test_a_taken_port_ends_the_start_at_once(built, serving, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with supervised(built[1], serving, tmp_path, TRITON_HTTP_PORT=port) as server:
            assert server.process.wait(10) == 1
            assert "Address already in use" in server.said()


@ENSEMBLE_ONLY
def test_a_wrong_setting_is_told(built, serving, tmp_path):
    with supervised(built[1], serving, tmp_path, TRITON_ADMIN_KEY="short") as server:
        assert server.process.wait(10) == 2
    assert "the key in TRITON_ADMIN_KEY must be" in server.said() and "short" not in server.said()


def test_all_requests_in_flight_are_answered_before_the_end(run, built):
    """Row 13: 100 of them, beside a connection that is kept open and idle."""
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
    assert server.process.wait(DRAINED) == 0, server.said()
    assert time.monotonic() - started <= DRAINED
    assert shared and not any(region.exists() for region in shared)


@ENSEMBLE_ONLY
def test_a_signal_ends_a_start(run):
    server = run(ready=False)
    while server.status() != 503:
        assert server.process.poll() is None, server.said()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(DRAINED) == 0


def test_overload_is_refused_at_once_and_survived(run, built):
    """More requests than may wait: each gets 200 or 503, the server goes on, and the supervisor lets it."""
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


ADMIN_HTTP = [
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/{name}/load"),
    ("POST", "/v2/repository/models/{name}/unload"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("POST", "/v2/systemsharedmemory/region/x/register"),
    ("POST", "/v2/cudasharedmemory/unregister"),
    ("GET", "/v2/models/{name}/config"),
    ("GET", "/v2/models/stats"),
    ("GET", "/v2/models/{name}/stats"),
    ("POST", "/v2/trace/setting"),
    ("POST", "/v2/models/{name}/trace/setting"),
    ("POST", "/v2/logging"),
]
ADMIN_GRPC = [
    "get_model_repository_index", "get_log_settings", "get_trace_settings", "get_inference_statistics",
    "get_system_shared_memory_status", "unregister_cuda_shared_memory",
]  # fmt: skip


def refused_over_grpc(address, headers):
    refused = set()
    with tritonclient.grpc.InferenceServerClient(address) as client:
        for call in ADMIN_GRPC:
            try:
                getattr(client, call)(headers=headers)
            except tritonclient.grpc.InferenceServerException as error:
                assert "restricted" in str(error), error
                refused.add(call)
    return refused


def test_admin_apis_are_closed(target):
    """Row 16, of the server behind serve.sh, which is started with the same flags."""
    for method, path in ADMIN_HTTP:
        assert target.ask(path.format(name=target.model), b"", method=method).status == 403, path
    assert refused_over_grpc(target.server.address.grpc, None) == set(ADMIN_GRPC)
    wrong = {"admin-key": KEY}
    assert target.ask("/v2/logging", headers=wrong, method="GET").status == 403
    assert refused_over_grpc(target.server.address.grpc, {"triton-grpc-protocol-admin-key": KEY}) == set(ADMIN_GRPC)
    assert target.ask(f"/v2/models/{target.model}", method="GET").status == 200, "metadata is no admin API"
    target.assert_unharmed()


@ENSEMBLE_ONLY
def test_the_key_opens_the_admin_apis(run, built, tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    server = run(TRITON_ADMIN_KEY_FILE=str(tmp_path / "key"))
    target = Target(server, built[0])
    assert target.ask("/v2/logging", method="GET").status == 403
    assert target.ask("/v2/logging", headers={"admin-key": KEY}, method="GET").status == 200
    assert refused_over_grpc(server.address.grpc, {"triton-grpc-protocol-admin-key": KEY}) == set()
    load = target.ask(f"/v2/repository/models/{built[0]}/load", b"{}", {"admin-key": KEY})
    assert load.status != 200, "models are fixed, key or not"
    assert KEY not in server.said()
