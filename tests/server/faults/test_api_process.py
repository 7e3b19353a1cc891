"""The API process under the supervisor: when it serves, how it ends, and with which settings it reaches Triton."""

import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.certificates import Authority
from tests.server.faults.conftest import ONE_LAYOUT
from tests.server.faults.supervised import lay_out_serving, supervised
from tests.server.faults.target import Target
from tests.server.faults.test_endpoints import listening
from utils import ROOT
from utils.diagnosis.target import GOOD, infer_body
from utils.host import environment
from utils.host.environments import API
from utils.triton.ports import choose_ports

pytestmark = ONE_LAYOUT
KEY = "first-key-0123456789"


@pytest.fixture(scope="module")
def serving(built, tmp_path_factory):
    """/opt/serving of an image with --api: the packages of the wheels beside the supervisor's."""
    tree = built[1].parent
    folder = lay_out_serving(tmp_path_factory.mktemp("serving") / "opt", tree / "golden.json")
    shutil.copytree(ROOT / "deploy/api", folder / "api")
    shutil.copy(tree / "api.json", folder)
    environment.ensure(API)
    for package in API.site_packages[0].iterdir():
        if not (folder / package.name).exists():
            (folder / package.name).symlink_to(package)
    return folder


@pytest.fixture
def start(run):
    """start(**settings): (a ready server, a client of its API)."""
    clients = []

    def begin(**settings):
        port = choose_ports("127.0.0.1", {"api": 0})["api"]
        server = run(TRITON_API_PORT=str(port), TRITON_API_ADDRESS="127.0.0.1", **settings)
        clients.append(httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60))
        return server, clients[-1]

    yield begin
    for client in clients:
        client.close()


def process_of(server):
    return next(pid for pid in server.family() if b"from api import main" in Path(f"/proc/{pid}/cmdline").read_bytes())


def predicted(client):
    answer = client.post("/predict", json={"inputs": GOOD})
    assert answer.status_code == 200, answer.text
    return answer.json()[0]["label"]


def test_its_answer_is_tritons_and_its_death_ends_the_server(start, built):
    server, client = start()
    assert predicted(client) == Target(server, built[0]).infer(infer_body()).outputs["predicts"][0]
    assert client.get("/health").status_code == 200
    os.kill(process_of(server), signal.SIGKILL)
    assert server.process.wait(10) == 1
    assert "the API process with process id" in server.log_text()


def test_it_serves_only_after_the_canary_and_answers_all_before_the_end(run, start, built):
    port = choose_ports("127.0.0.1", {"api": 0})["api"]
    server = run(ready=False, TRITON_API_PORT=str(port))
    while server.status() != 503:
        assert server.process.poll() is None, server.log_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
    server.wait_until_ready()
    url, inputs, answers = f"http://127.0.0.1:{port}/predict", [[GOOD * 20]] * 1000, []
    httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=20)

    def ask():
        answers.append(httpx.post(url, json={"inputs": inputs}, trust_env=False, timeout=60))

    asking = threading.Thread(target=ask)
    asking.start()
    while not server.log_text() or not _has_unanswered(port):
        assert asking.is_alive(), "the request is large enough to be seen"
    server.process.terminate()
    asking.join()
    assert (answers[0].status_code, len(answers[0].json())) == (200, len(inputs))
    assert server.process.wait(20) == 0, server.log_text()


def _has_unanswered(port):
    """Whether a client's connection to `port` is established (proc_net_tcp(5), state 01)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def test_overload_is_429(start):
    server, client = start()
    environ = Path(f"/proc/{server.stubs()[0]}/environ").read_bytes().decode().split("\0")
    refusing = Path(next(each.partition("=")[2] for each in environ if each.startswith("TRITON_REFUSING_FILE=")))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # the supervisor removes the file when it sees that nothing waits
        refusing.touch()
        answer = client.post("/predict", json={"inputs": GOOD})
        if answer.status_code != 200:
            break
    refusing.unlink(missing_ok=True)
    assert (answer.status_code, answer.json()["error_type"]) == (429, "Overloaded")
    assert answer.headers["retry-after"] == "1"


def test_grpc_that_is_off_is_on_the_loopback_for_it(start):
    server, client = start(TRITON_GRPC="off")
    assert predicted(client)
    assert listening(server.ports["grpc"]) == {"127.0.0.1"}


@pytest.mark.parametrize("mutual", [False, True])
def test_it_asks_over_tls(start, tmp_path, mutual):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.sign("server")
    files = {"TRITON_GRPC_CERT_FILE": str(certificate), "TRITON_GRPC_KEY_FILE": str(key)}
    _, client = start(**files, **({"TRITON_GRPC_CLIENT_CA_FILE": str(authority.certificate)} if mutual else {}))
    assert predicted(client)


def test_keys(start, tmp_path):
    (tmp_path / "keys").write_text(f"{KEY}\n")
    server, client = start(TRITON_API_KEYS_FILE=str(tmp_path / "keys"))
    assert client.post("/predict", json={"inputs": GOOD}).status_code == 401
    client.headers["Authorization"] = f"Bearer {KEY}"
    assert predicted(client)
    assert KEY not in server.log_text()
    assert all(KEY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in server.family())


def test_a_taken_port_ends_the_start(built, serving, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = {"TRITON_API_PORT": str(port), "TRITON_API_ADDRESS": "127.0.0.1"}
        with supervised(built[1], serving, tmp_path, **chosen) as server:
            assert server.process.wait(20) == 1
    assert f"Address already in use: TRITON_API_PORT {port}" in server.log_text()


def test_a_setting_of_the_api_in_an_image_without_is_refused(built, tmp_path):
    bare = lay_out_serving(tmp_path / "opt", built[1].parent / "golden.json")
    with supervised(built[1], bare, tmp_path, TRITON_API_PORT="8080") as server:
        assert server.process.wait(20) == 2
    assert "TRITON_API_PORT is set, and this image has no API process; build it with --api" in server.log_text()
