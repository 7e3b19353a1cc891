"""Faults of the served image, hardened as in production: bad requests, killed processes, stops and wrong answers."""

import json
import os
import shutil
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.image.conftest import make
from tests.server.faults.supervised import guards_of
from tests.server.faults.target import Target, family
from utils.diagnosis.cases import CASES, MB, Case
from utils.diagnosis.target import GOOD, LEAK, infer_body
from utils.diagnosis.target import Target as AnyTarget
from utils.docker.running_container import HARDENED
from utils.host.build_tree import BUILD
from utils.triton.address import ServerAddress

# The options of docker run in docs/usage.md, on an internal network.
TOO_MUCH = Case(18, "a text of 67 MB", lambda target: target.infer(infer_body(["a" * 67_000_000])), 503, "--shm-size")
SECONDS = float(os.environ.get("FAULTS_SECONDS", "8"))
HARDENED_HERE = (*HARDENED, "--shm-size", "64m", "--user", "1000:1000")


@dataclass
class Container:
    """A container reached by its own address."""

    engine: object
    identity: str

    def inspect(self, template):
        return self.engine.client.run("inspect", "--format", template, self.identity).stdout.strip()

    @property
    def address(self):
        ip = self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
        return ServerAddress(http=f"{ip}:8000", grpc=f"{ip}:8001")

    @property
    def pid(self):
        """The supervisor's process id on this machine."""
        return int(self.inspect("{{.State.Pid}}"))

    def log(self):
        return self.engine.client.run("logs", self.identity, merged=True).stdout

    def is_ready(self):
        return AnyTarget(address=self.address.http, model="").is_ready()

    def wait_until_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)
        return self

    def wait_until_ended(self, seconds):
        deadline = time.monotonic() + seconds
        while self.inspect("{{.State.Running}}") == "true":
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)
        return int(self.inspect("{{.State.ExitCode}}"))


@pytest.fixture(scope="module")
def served(built):
    """(model name, image) of the default layout on a CPU."""
    return built[0], f"tritoned_{built[0]}:v1"


@pytest.fixture(scope="module")
def ensemble(engine, bases, model):
    """(model name, image) of the other layout."""
    name = f"fire-{uuid.uuid4().hex[:8]}"
    done = make(model, name, bases, "--layout", "ensemble")
    assert done.returncode == 0, done.stderr
    yield name, f"tritoned_{name}:v1"
    engine.client.run("rmi", "--force", f"tritoned_{name}:v1")
    shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.fixture(scope="module")
def network(engine):
    name = f"fire-{uuid.uuid4().hex[:8]}"
    assert engine.client.run("network", "create", "--internal", name).returncode == 0
    yield name
    engine.client.run("network", "rm", name)


@pytest.fixture
def start(engine, served, network):
    """start(*options): a hardened container of `served`, or of another `image`."""
    made = []

    def run(*options, image=served[1]):
        command = ("run", "--detach", *HARDENED_HERE, "--network", network, "--label", "triton-image-factory=test")
        done = engine.client.run(*command, *options, image)
        assert done.returncode == 0, done.stderr
        made.append(Container(engine, done.stdout.strip()))
        return made[-1]

    yield run
    for container in made:
        engine.client.run("rm", "--force", container.identity)


def check_of(container):
    """The command of HEALTHCHECK."""
    return "exec", container.identity, "python3", "-I", "-S", "/opt/serving/healthcheck.py"


def stub_of(container):
    return next(pid for pid, name in family(container.pid).items() if name.startswith("triton_python"))


def guard_before(container):
    return next(iter(guards_of(family(container.pid))), None)


@pytest.mark.long("served")
@pytest.mark.parametrize("image", ["served", "ensemble"])
def test_hardened_container_answers_every_case(start, image, request):
    """Row 18: rows 1 to 10 in a container without capabilities and network access, with 64 MiB of shared memory."""
    name, reference = request.getfixturevalue(image)
    container = start(image=reference).wait_until_ready()
    target = Target(container, name)
    for case in [*CASES, TOO_MUCH]:
        reply = case.send(target)
        assert reply.status == case.status, (case.name, reply.text[:300])
        assert reply.status == 200 or case.message_of(target.release) in reply.error
        assert not LEAK.search(reply.text), (case.name, reply.text[:300])
    target.assert_unharmed()
    assert container.engine.client.run(*check_of(container)).returncode == 0
    assert target.send("/v2/repository/index", b"").status == 403


@pytest.mark.long("always-503")
@pytest.mark.parametrize(("guard", "full"), [("always", 503), ("never", 500)])
def test_texts_that_fill_the_shared_memory_stop_nothing(start, served, guard, full):
    """Lasts several rounds of the canary; FAULTS_SECONDS sets the seconds."""
    container = start("--env", f"TRITON_GUARD={guard}").wait_until_ready()
    target = Target(container, served[0])
    bodies = [infer_body(["large " * (MB * size // 6)]) for size in (10, 20, 60)]
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(6) as pool:
        seen = set()
        while time.monotonic() < until:
            seen |= {reply.status for reply in pool.map(target.infer, bodies * 4)}
            assert container.engine.client.run(*check_of(container)).returncode == 0
    assert seen == {200, full}
    target.assert_unharmed()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("which", [stub_of, guard_before])
def test_killed_or_stopped_process_ends_the_container(start, which, number):
    """Row 12."""
    container = start().wait_until_ready()
    started = time.monotonic()
    os.kill(which(container), number)
    assert container.wait_until_ended(15) == 1
    assert time.monotonic() - started <= 15
    assert not container.is_ready()


def test_restart_policy_restarts_the_container(start, served):
    container = start("--restart", "on-failure").wait_until_ready()
    answer = Target(container, served[0]).before
    first = container.pid
    started = time.monotonic()
    os.kill(stub_of(container), signal.SIGKILL)
    while container.pid in (0, first):
        assert time.monotonic() - started <= 15, container.log()
        time.sleep(0.1)
    container.wait_until_ready(30 - (time.monotonic() - started))
    assert Target(container, served[0]).before == answer


def test_docker_stop_answers_requests_in_flight(start, served):
    """Row 13, within Docker's default of 10 s."""
    container = start().wait_until_ready()
    target = Target(container, served[0])
    idle = target.connect()
    idle.request("GET", "/v2/health/ready")
    idle.getresponse().read()
    connections = [target.connect() for _ in range(100)]
    for connection in connections:
        connection.request("POST", f"/v2/models/{served[0]}/infer", infer_body([f"{GOOD} {'again ' * 50}"] * 4))
    with ThreadPoolExecutor(101) as pool:
        started = time.monotonic()
        stopping = pool.submit(container.engine.client.run, "stop", container.identity)
        statuses = list(pool.map(lambda each: each.getresponse().status, connections))
        stopping.result()
    assert statuses == [200] * 100
    assert time.monotonic() - started <= 10
    assert container.inspect("{{.State.ExitCode}}") == "0", container.log()


def test_image_with_other_answers_is_never_ready(start, served, tmp_path):
    """Changed golden scores stand for damaged weights: the model answers, and its answers differ."""
    golden = json.loads((BUILD / served[0] / "v1/golden.json").read_text())
    for row in golden["rows"]:
        row["outputs"]["scores"]["data"].reverse()
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    (tmp_path / "golden.json").chmod(0o644)
    container = start("--volume", f"{tmp_path}/golden.json:/opt/serving/golden.json:ro")
    while container.inspect("{{.State.Running}}") == "true":
        assert not container.is_ready()
    assert container.inspect("{{.State.ExitCode}}") == "1"
    assert "returns a wrong answer" in container.log()


def test_paused_container_resumes(start):
    container = start().wait_until_ready()
    container.engine.client.run("pause", container.identity)
    time.sleep(12)
    container.engine.client.run("unpause", container.identity)
    time.sleep(4)
    assert container.is_ready() and container.inspect("{{.State.Running}}") == "true", container.log()
