"""The generated compose.yaml, run by Debian's docker-compose 1.29 on a real engine.

Debian 12 has no Compose 2; these tests pass with 2.26.1 if it is first on PATH. tests/deploy checks the file against
the Compose specification.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tests.server.faults.target import family
from tests.unavailable import unavailable
from utils import ROOT
from utils.docker.image import build_and_prove
from utils.proof import measured
from utils.proof.golden import json_request
from utils.proof.golden_file import read_golden
from utils.release.manifests import write_manifests
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, read_context
from utils.triton.ports import choose_ports

DEPLOY_PAGE = (ROOT / "docs/deploy.md").read_text()
PROJECT = "echo"


@pytest.fixture(scope="module")
def tree(engine, make_tree):
    """A proven tree with its manifests, beside its image."""
    if not shutil.which("docker-compose"):
        unavailable("docker-compose is not on PATH")
    made = make_tree("slim")
    build_and_prove(made.folder, engine=engine, no_cache=False, verify=True)
    write_manifests(made.folder, read_context(made.folder / CONTEXT_FILE), made.image)
    return made


@pytest.fixture(scope="module")
def ports():
    chosen = choose_ports("127.0.0.1", dict.fromkeys(("HTTP", "GRPC", "METRICS"), 0))
    return {f"{name}_PORT": str(port) for name, port in chosen.items()}


@pytest.fixture(scope="module")
def compose(engine, tree, ports):
    """compose(verb): runs the command of docs/deploy.md whose verb this is, on other ports; `down` at the end."""

    def run(verb):
        command = next(line for line in DEPLOY_PAGE.splitlines() if re.match(rf"docker compose .* {verb}\b", line))
        words = command.replace("build/topics/v1", str(tree.folder)).split()
        environment = {**os.environ, **ports}
        done = subprocess.run(["docker-compose", *words[2:]], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    run("down")
    for kind in ("container", "network"):
        left = engine.client.run(kind, "ls", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}")
        assert left.stdout == ""


@pytest.fixture(scope="module")
def container(compose, engine):
    compose("up")
    (identity,) = engine.client.run(
        "ps", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={PROJECT}"
    ).stdout.split()
    return lambda template: engine.client.run("inspect", "--format", template, identity).stdout.strip()


def golden_answer(tree, ports, seconds=60):
    """The server's answer to the golden request, as soon as it gives one."""
    row = read_golden(tree.folder / GOLDEN_FILE).rows[0]
    url = f"http://127.0.0.1:{ports['HTTP_PORT']}/v2/models/{row.path}/infer"
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, json_request(row).encode(), timeout=10) as answer:
                return {each["name"]: tuple(each["data"]) for each in json.load(answer)["outputs"]}
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_the_container_is_hardened_and_limited(container, tree):
    state = json.loads(container("{{json .HostConfig}}"))
    assert (state["ReadonlyRootfs"], state["CapDrop"], state["PidsLimit"]) == (True, ["ALL"], 512)
    assert state["SecurityOpt"] == ["no-new-privileges:true"] and state["Tmpfs"] == {"/tmp": ""}
    assert {binding[0]["HostIp"] for binding in state["PortBindings"].values()} == {"127.0.0.1"}
    assert state["ShmSize"] == 64 << 20
    peak = measured.read(tree.folder).peak_memory_bytes
    assert 20 << 20 < peak < 2 << 30, "Triton and a model take at least some memory"
    assert 2 * peak < state["Memory"] < 2 * peak + (1 << 30)


def test_it_answers_and_comes_back_after_a_killed_stub(container, tree, ports):
    expected = {name: each.data for name, each in read_golden(tree.folder / GOLDEN_FILE).rows[0].outputs.items()}
    assert golden_answer(tree, ports) == expected
    first = int(container("{{.State.Pid}}"))
    stub = next(pid for pid, name in family(first).items() if name.startswith("triton_python"))
    os.kill(stub, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while container("{{.State.Pid}}") in ("0", str(first)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert golden_answer(tree, ports) == expected
    assert container("{{.RestartCount}}") == "1"


def test_the_manifests_are_no_part_of_the_image(engine, tree):
    before = engine.client.run("image", "inspect", "--format", "{{.Id}}", tree.image).stdout.strip()
    assert build_and_prove(tree.folder, engine=engine, no_cache=False, verify=False) == before
