"""serve.sh as a user runs it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

from utils.serve import find_models, sample_request
from utils.triton.server import serve

ROOT = Path(__file__).resolve().parents[2]
ANY_PORTS = ("--http-port", "0", "--grpc-port", "0", "--metrics-port", "0")
CONFIG = """
backend: "python"
max_batch_size: 8
input [{ name: "text_input" data_type: TYPE_STRING dims: [1] }]
output [{ name: "predicts" data_type: TYPE_STRING dims: [2] }, { name: "path" data_type: TYPE_STRING dims: [1] }]
"""
MODEL = """
import os
import sys

import numpy as np
import triton_python_backend_utils as pb_utils

import component


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            texts = pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy()
            names = np.full_like(texts, component.NAME)
            path = np.full_like(texts, os.environ.get("PYTHONPATH", "") + "|" + "|".join(sys.path))
            pb_utils.Logger.log_info("Получено: " + texts[0, 0].decode())
            tensors = [
                pb_utils.Tensor("predicts", np.concatenate([texts, names], axis=1)),
                pb_utils.Tensor("path", path),
            ]
            responses.append(pb_utils.InferenceResponse(tensors))
        return responses
"""


def add_model(repository, name, *, model=MODEL, config=CONFIG):
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)
    (folder / "model.py").write_text(model)
    (folder / "component.py").write_text(f"NAME = b'{name}'\n")


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "a build of Анна/model_repository"
    add_model(folder, "echo")
    return folder


class Served:
    """./serve.sh in a child process."""

    def __init__(self, *arguments, cwd=None, env=None):
        command = [ROOT / "serve.sh", *arguments]
        environment = {**os.environ, **(env or {})}
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines = []

    def wait_until_ready(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("listening on "):
                self.http = line.split("http ")[1].split(",")[0]
                self.grpc = line.split("grpc ")[1].split(",")[0]
                (self.pid,) = children(self.process.pid)
                self.family = descendants(self.process.pid)
                self.regions = {region for pid in self.family for region in shared_memory(pid)}
                return self
        raise AssertionError("".join(self.lines))

    def end(self, number):
        self.process.send_signal(number)
        out, rest = self.process.communicate(timeout=30)
        return self.process.returncode, out, "".join(self.lines) + rest

    def traces(self):
        alive = {pid for pid in self.family if runs(pid)}
        return alive, {region for region in self.regions if Path("/dev/shm", region).exists()}


@contextlib.contextmanager
def served(*arguments, **options):
    server = Served(*arguments, **options)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


def children(pid):
    return {
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    }


def descendants(pid):
    return {found for child in children(pid) for found in {child, *descendants(child)}}


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def shared_memory(pid):
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return {path.name for path in Path("/dev/shm").iterdir() if path.name in words}


def run(*arguments):
    return subprocess.run([ROOT / "serve.sh", *arguments], capture_output=True, text=True, timeout=90)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(repository, number, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "numpy.py").write_text("raise ImportError('the cwd must not be on sys.path')")
    with served(os.path.relpath(repository, elsewhere), *ANY_PORTS, cwd=elsewhere) as server:
        server.wait_until_ready()
        assert len(server.family) == 3, "the server, its stub, and the guard before it"
        assert len(server.regions) == 1
        # An idle connection that is kept open must not hold the server up.
        with triton_http.InferenceServerClient(server.http) as connection:
            assert connection.is_server_ready()
            code, out, _ = server.end(number)
        assert (code, out) == (0, "")
        assert server.traces() == (set(), set())
    assert not list(repository.rglob("__pycache__"))


def test_a_second_signal_ends_it_at_once(repository):
    with served(repository, *ANY_PORTS) as server:
        server.wait_until_ready()
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        started = time.monotonic()
        code, _, _ = server.end(signal.SIGINT)
        assert code == 0
        assert time.monotonic() - started < 2  # without the second signal: at least 2.6 s
        assert server.traces() == (set(), set())


def test_the_server_does_not_outlive_a_killed_parent(tmp_path):
    repository = tmp_path / "plain"  # a path that needs a link would leave it, as nobody is left to remove it
    add_model(repository, "echo")
    with served(repository, *ANY_PORTS) as server:
        server.wait_until_ready()
        server.end(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while server.traces() != (set(), set()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert server.traces() == (set(), set())


def test_it_ends_with_8_when_the_server_dies(repository):
    with served(repository, *ANY_PORTS) as server:
        server.wait_until_ready()
        os.kill(server.pid, signal.SIGKILL)
        code, _, log = server.process.wait(timeout=20), None, server.process.stderr.read()
        assert code == 8
        assert log.rstrip().endswith("error: Triton exited; see its log above")
        assert server.traces() == (set(), set())


def test_texts_come_through_in_every_script(repository):
    add_model(repository, "second")
    with served(repository.parent, *ANY_PORTS, env={"LC_ALL": "C", "PYTHONPATH": "/nowhere"}) as server:
        server.wait_until_ready()
        text = "Привет, мир 👍"
        body = {"inputs": [{"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]}
        answer = post(f"http://{server.http}/v2/models/echo/infer", body)
        outputs = {output["name"]: output["data"] for output in answer["outputs"]}
        assert outputs["predicts"] == [text, "echo"]
        # Each model has a component.py of its own, and each gets its own.
        answer = post(f"http://{server.http}/v2/models/second/generate", {"text_input": [text, "b"]})
        assert answer["predicts"] == [text, "second", "b", "second"]
        python_path, *path = outputs["path"][0].split("|")
        assert python_path == ""
        assert str(ROOT) not in path
        with triton_grpc.InferenceServerClient(server.grpc) as connection:
            tensor = triton_grpc.InferInput("text_input", [1, 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[text.encode()]], dtype=object))
            assert connection.infer("echo", [tensor]).as_numpy("predicts")[0, 0].decode() == text
        _, _, log = server.end(signal.SIGTERM)
        assert f"Получено: {text}" in log


def post(url, body):
    with urllib.request.urlopen(url, data=json.dumps(body, ensure_ascii=False).encode()) as answer:
        return json.load(answer)


@pytest.mark.parametrize("service", ["http", "grpc", "metrics"])
def test_a_taken_port_ends_with_8_in_one_sentence(repository, service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(repository, *ANY_PORTS, f"--{service}-port", str(port))
    assert done.returncode == 8
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port} for {service}: Address already in use;")
    assert done.stderr.count("\n") == 1


def test_a_broken_config_ends_with_8_and_its_reason(repository):
    (repository / "echo/config.pbtxt").write_text(CONFIG.replace("input [", "inpot ["))
    done = run(repository, *ANY_PORTS)
    assert done.returncode == 8
    message = done.stderr[done.stderr.index("error: Triton did not start; its log says:") :]
    assert 'has no field named "inpot"' in message


def test_a_broken_model_ends_with_8_and_its_reason(repository):
    (repository / "echo/1/component.py").write_text("import absent_package\n")
    done = run(repository, *ANY_PORTS)
    assert done.returncode == 8
    message = done.stderr[done.stderr.index("error: Triton did not start; its log says:") :]
    assert "No module named 'absent_package'" in message


def test_a_server_that_does_not_get_ready_in_time_is_ended(repository):
    (repository / "echo/1/component.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(Exception, match="Triton was not ready in 1 s"), serve(repository, ready_within=1):
        pass


def test_the_log_goes_to_a_file_on_request(repository, tmp_path):
    """A killed server leaves nothing either: not the folder that Triton's Python backend makes at its start."""
    before = time.time()
    with serve(repository, log=tmp_path / "log") as server:
        found = {folder: folder.stat().st_ctime for folder in Path("/tmp").glob("python_env_*")}
        made = [folder for folder, changed in found.items() if before <= changed < time.time() - 0.1]
        assert made and server.log_text()
    assert not any(folder.exists() for folder in made)
    assert "Started HTTPService" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: MODEL_REPOSITORY"),
        (["absent"], "MODEL_REPOSITORY 'absent' is not a folder"),
        ([ROOT / "utils"], "has no */config.pbtxt"),
        ([ROOT, "--http-port", "65536"], "'65536' is not a port"),
        ([ROOT, "--http-port", "http"], "'http' is not a port"),
        ([ROOT, "--http-port", "8001"], "choose different ports"),
        ([ROOT, "--http", "8001"], "unrecognized arguments: --http 8001"),
    ],
)
def test_a_mistake_ends_with_2_in_one_sentence(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, "neither an environment nor a server was started"


def test_help_shows_the_options():
    done = run("--help")
    assert done.returncode == 0
    words = ("--host", "--http-port", "--grpc-port", "--metrics-port", "--api", "example:")
    assert all(word in done.stdout for word in words)


def test_a_build_tree_is_as_good_as_its_model_repository(repository):
    assert find_models(repository.parent) == find_models(repository) == repository


def test_the_sample_request_asks_the_ensemble(repository):
    add_model(repository, "whole", config=CONFIG + "ensemble_scheduling { }")
    assert "/v2/models/whole/generate" in sample_request(repository, "127.0.0.1:8000")
    for config in repository.glob("*/config.pbtxt"):
        config.write_text("")
    assert sample_request(repository, "h:1") == "curl -s http://h:1/v2/models/echo"
