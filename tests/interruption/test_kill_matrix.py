"""INT, TERM and KILL in each of eight stages: the files and processes that are left, and the next run."""

import os
import shutil
import signal

import pytest

from tests.interruption.conftest import NAME, TAG, contents, wait_for
from tests.loopback.hub import HubServer
from tests.loopback.serving import Answering, LoopbackServer

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: 137}
IMAGE = ("--no-verify", "--base-image", "triton:1", "--slim-image", "slim:1")


class SlowHub(HubServer):
    """Hangs on the requests of `stage`, until `stage` is cleared."""

    stage = ""

    @property
    def fault(self):
        if self.stage == "references":
            return "hang"
        path = self.requests[-1][1] if self.requests else ""
        return "hang on files" if self.stage == "weights" and path.endswith(".safetensors") else None

    @fault.setter
    def fault(self, _value):
        """Ignored: `fault` depends on `stage`."""

    def is_hanging(self):
        paths = [path for method, path, _ in self.requests if method == "GET"]
        return any(path.endswith(".safetensors") or self.stage == "references" for path in paths)


class _Silent(Answering):
    def answer(self):
        self.hang()


class SilentIndex(LoopbackServer):
    """A package index that accepts connections and never responds."""

    answering = _Silent


class Stop:
    """A build that is paused inside a stage."""

    def __init__(self, checkout, child, again, resume):
        self.checkout, self.child = checkout, child
        self._again, self._resume = again, resume

    def again(self):
        """Runs the same command without the pause."""
        self._resume()
        command, variables = self._again
        return self.checkout.run(command, **variables)


@pytest.fixture
def stop_at(checkout, tmp_path):
    """`stop_at(stage)` -> Stop."""
    servers = []

    def serve(server):
        servers.append(server)
        return server.__enter__()

    def stop(stage):
        checkout.paused.unlink(missing_ok=True)
        variables, resume, condition = {}, lambda: None, checkout.paused.exists
        where, again = "-", "-"
        options = {"options": ("--no-image", "--no-verify")}
        hanging = {}
        if stage in ("references", "weights"):
            hub = serve(SlowHub({"user/topics": checkout.model}))
            hub.stage, condition = stage, hub.is_hanging
            variables = hub.environment(tmp_path / "hub cache")
            options["model"] = "hf:user/topics"
            resume = lambda: setattr(hub, "stage", "")  # noqa: E731
        elif stage == "wheels":
            index = serve(SilentIndex())
            condition = lambda: index.requests  # noqa: E731
            hanging = {"PIP_INDEX_URL": index.url, "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
            hanging["XDG_CACHE_HOME"] = str(tmp_path / "no wheels yet")
        elif stage in ("base images", "docker build"):
            options["options"] = IMAGE
            hanging = {"DOCKER_HANG": {"base images": "pull", "docker build": "build"}[stage]}
        else:
            where = f"pause at {stage}"
            if stage == "boot proof":
                options["options"] = ("--no-image",)
            if stage == "convert":
                variables = {"CONVERSION": ""}
        child = checkout.start(checkout.command(where, **options), **{**variables, **hanging})
        wait_for(lambda: condition() or child.poll() is not None, "stop", 100)
        assert child.poll() is None, checkout.end(child)
        return Stop(checkout, child, (checkout.command(again, **options), variables), resume)

    yield stop
    for server in servers:
        server.__exit__()


STAGES = ("references", "base images", "weights", "convert", "render", "wheels", "docker build", "boot proof")
WITH_CHILDREN = {"references", "base images", "weights", "wheels", "docker build", "boot proof"}


@pytest.mark.long(
    "references-SIGINT",
    "base images-SIGTERM",
    "weights-SIGINT",
    "convert-SIGKILL",
    "render-SIGINT",
    "wheels-SIGTERM",
    "docker build-SIGKILL",
    "boot proof-SIGTERM",
)
@pytest.mark.parametrize("number", list(EXIT_CODES), ids=lambda number: number.name)
@pytest.mark.parametrize("stage", STAGES)
def test_signal_inside_a_stage(checkout, stop_at, stage, number):
    tags = checkout.state / "docker" / "tags"
    tags.mkdir(parents=True)
    (tags / f"tritoned_{NAME} {TAG}").write_text("sha256:old")
    good, tracked = contents(checkout.good), checkout.tracked()
    stopped = stop_at(stage)
    if stage in WITH_CHILDREN:
        assert len(checkout.living()) > 1
    os.kill(stopped.child.pid, number)
    code, out, err = checkout.end(stopped.child, 30)
    assert (code, out) == (EXIT_CODES[number], ""), err
    assert "Traceback" not in err
    assert contents(checkout.good) == good
    assert checkout.tracked() == tracked
    assert contents(tags) == {f"tritoned_{NAME} {TAG}": b"sha256:old"}
    wait_for(lambda: not checkout.living(), "end of its children", 10)
    if number != signal.SIGKILL:
        assert checkout.work() == []
        return
    code, out, err = stopped.again()
    assert code == 0, err
    assert contents(checkout.good / "model_repository") == contents(checkout.state / "expected")
    assert checkout.work() == []
    wait_for(lambda: not checkout.living(), "end of its children", 10)


@pytest.mark.long("convert", "docker build")
@pytest.mark.parametrize("stage", ["references", "convert", "wheels", "docker build", "boot proof"])
def test_repeated_ctrl_c_to_the_process_group(checkout, stop_at, stage):
    """A terminal sends SIGINT to the whole group, and users press Ctrl-C several times."""
    stopped = stop_at(stage)
    for _ in range(3):
        os.killpg(stopped.child.pid, signal.SIGINT)
    code, out, err = checkout.end(stopped.child, 30)
    assert (code, out) == (130, ""), err
    assert err.endswith("interrupted\n")
    assert "Traceback" not in err
    assert checkout.work() == []
    wait_for(lambda: not checkout.living(), "end of its children", 10)


def test_background_job_of_a_shell_can_be_interrupted(checkout):
    """A shell without job control starts background jobs with SIGINT ignored."""
    command = checkout.command("pause at render")
    child = checkout.start(["sh", "-c", '"$@" & echo $! >&2; wait $!', "sh", *command])
    wait_for(checkout.paused.exists, "stop", 100)
    child.outputs[1].seek(0)
    os.kill(int(child.outputs[1].readline()), signal.SIGINT)
    assert checkout.end(child, 30)[0] == 130
    assert checkout.work() == []


@pytest.mark.long("SIGKILL")
@pytest.mark.parametrize("number", list(EXIT_CODES), ids=lambda number: number.name)
def test_container_is_removed_with_its_build_or_by_the_next_one(checkout, number):
    containers = checkout.state / "docker" / "containers"
    command = checkout.command("-", options=IMAGE[1:])
    child = checkout.start(command, DOCKER_HANG="run")
    wait_for(checkout.paused.exists, "container", 100)
    assert len(list(containers.iterdir())) == 1
    (containers / "of-a-living-build").write_text((next(containers.iterdir())).read_text())
    other = checkout.start(checkout.command("-", options=IMAGE))
    code, _, err = checkout.end(other)
    assert code == 0, err
    assert len(list(containers.iterdir())) == 2, "another build must not touch the container of a living one"
    os.kill(child.pid, number)
    assert checkout.end(child, 30)[0] == EXIT_CODES[number]
    assert len(list(containers.iterdir())) == (2 if number == signal.SIGKILL else 1)
    (containers / "of-another-machine").write_text("0-1-2-3")
    code, _, err = checkout.run(checkout.command("-", options=IMAGE))
    assert code == 0, err
    assert [path.name for path in containers.iterdir()] == ["of-another-machine"]
    wait_for(lambda: not checkout.living(), "end of its children", 10)


def test_killed_move_leaves_the_old_tree_or_the_new_one(checkout):
    """On a file system without an atomic exchange: the tree that was moved aside is restored."""
    good = contents(checkout.good)
    aside = checkout.build / ".work" / "tmpaside"
    (checkout.good / ".belongs-to").write_text(str(checkout.good))
    shutil.move(checkout.good, aside)
    code, _, err = checkout.run(checkout.command("full at render"))
    assert code == 6, err
    assert contents(checkout.good) == good
    assert checkout.work() == []
