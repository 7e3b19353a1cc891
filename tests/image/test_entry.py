"""The program that a container's arguments start: every form of tritonserver runs under the supervisor."""

import contextlib
import itertools
import subprocess
import time

import pytest

from tests.certificates import Authority
from tests.image.conftest import STANDIN
from utils.docker.image import build_and_prove
from utils.docker.running_container import HARDENED

HEALTH = ("python3", "-I", "-S", "/opt/serving/healthcheck.py")
READY_SECONDS = 60


@pytest.fixture(scope="module")
def image(engine, make_tree):
    return build_and_prove(make_tree("slim").folder, engine=engine, no_cache=False, verify=False)


@pytest.fixture(scope="module")
def full(engine, make_tree):
    """An image on the full base, which has an entry script."""
    return build_and_prove(make_tree("full").folder, engine=engine, no_cache=False, verify=False)


@contextlib.contextmanager
def container(engine, *words):
    command = ["run", "--detach", *HARDENED, "--network", "none", "--label", "triton-image-factory=test", *words]
    started = engine.client.run(*command)
    assert started.returncode == 0, started.stderr
    name = started.stdout.strip()
    try:
        yield name
    finally:
        engine.client.run("rm", "--force", name)


def log(engine, name):
    return engine.client.run("logs", name, merged=True).stdout


def wait_until_ready(engine, name):
    deadline = time.monotonic() + READY_SECONDS
    while "supervisor: ready: the golden answers are right" not in log(engine, name):
        state = engine.client.run("inspect", "--format", "{{.State.Running}}", name).stdout.strip()
        assert state == "true" and time.monotonic() < deadline, log(engine, name)
        time.sleep(0.1)


def assert_supervised(engine, name):
    """The supervisor reports ready after its golden requests, and drains on SIGTERM."""
    wait_until_ready(engine, name)
    assert engine.client.run("exec", name, *HEALTH).returncode == 0
    engine.client.run("stop", "--time", "20", name)
    assert engine.client.run("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
    assert "supervisor: drained" in log(engine, name)


@pytest.mark.long("flags", "path")
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--log-verbose=1",),
        ("tritonserver", "--model-repository=/models"),
        ("/opt/tritonserver/bin/tritonserver", "--log-info=true"),
        # The arguments of KServe's runtime for Triton, with the image's own models.
        ("tritonserver", "--model-store=/models", "--grpc-port=9000", "--http-port=8080", "--allow-http=true"),
    ],
    ids=["none", "flags", "command", "path", "ports"],
)
def test_the_server_runs_under_the_supervisor(engine, image, arguments):
    with container(engine, image, *arguments) as name:
        assert_supervised(engine, name)


def test_program_name_as_entry_point_starts_the_supervisor(engine, image):
    """As `command: [tritonserver]` does in Kubernetes."""
    with container(engine, "--entrypoint", "tritonserver", image, "--model-repository", "/models") as name:
        assert_supervised(engine, name)


@pytest.mark.long("sh-*")
@pytest.mark.parametrize(("shell", "line"), [("sh", "exec tritonserver --id=a"), ("bash", "tritonserver --id=a")])
def test_shell_as_entry_point_starts_the_supervisor(engine, image, shell, line):
    """As `command: [sh, -c, ...]` does in Kubernetes; bash replaces itself by its last command."""
    with container(engine, "--entrypoint", shell, image, "-c", line) as name:
        assert_supervised(engine, name)


def test_supervisor_below_a_shell_reports_a_killed_server(engine, image):
    """There the supervisor is not process 1 and gets no SIGTERM; it still exits when the server is killed."""
    with container(engine, "--entrypoint", "sh", image, "-c", "tritonserver; echo ended with $?") as name:
        wait_until_ready(engine, name)
        kill = (
            "import os; [os.kill(int(pid), 9) for pid in os.listdir('/proc') if pid.isdigit() and"
            " os.readlink(f'/proc/{pid}/exe') == '/opt/tritonserver/bin/tritonserver']"
        )
        engine.client.run("exec", name, "python3", "-c", kill)
        engine.client.run("wait", name, seconds=20)
        assert "Triton was ended by signal 9" in log(engine, name) and "ended with 1" in log(engine, name)


def test_other_command_runs_unchanged(engine, image, full):
    """With the variables that the base's entry script exports, if it has one."""
    for each, output in ((image, "hi none\n"), (full, "hi 1\n")):
        done = engine.client.run("run", "--rm", each, "bash", "-c", "echo hi ${STANDIN_ENTRY_SCRIPTS_RAN:-none}")
        assert (done.returncode, done.stdout) == (0, output), done.stderr


def test_loader_of_a_full_image_does_not_search_the_working_directory(engine, full):
    done = engine.client.run("run", "--rm", full, "bash", "-c", "echo $LD_LIBRARY_PATH")
    assert done.stdout == "/opt/hpcx/ucc/lib/:/opt/hpcx/ucx/lib/\n"


def test_entry_script_of_nvidia_writes_on_stderr_only(engine, full):
    """It runs, and cannot replace the supervisor by another command for AIP_MODE."""
    with container(engine, "--env", "AIP_MODE=PREDICTION", full, "--log-verbose=0") as name:
        assert_supervised(engine, name)
        command = [engine.client.program, "logs", name]
        streams = subprocess.run(command, capture_output=True, text=True, check=True)
    banner = (STANDIN / "nvidia/entrypoint.d/10-banner.txt").read_text().strip()
    assert banner in streams.stderr and banner not in streams.stdout
    assert "Signal (15) received." in streams.stdout, "stdout of Triton and the models is unchanged"
    assert "supervisor: AIP_MODE is ignored" in streams.stderr


def test_help_is_that_of_triton(engine, image):
    done = engine.client.run("run", "--rm", image, "--help")
    assert "Usage: tritonserver [options]" in done.stdout + done.stderr
    assert "supervisor" not in done.stdout + done.stderr


def test_repository_without_the_golden_model_is_reported(engine, image, tmp_path):
    (tmp_path / "other").mkdir()
    done = engine.client.run(
        "run", "--rm", "--volume", f"{tmp_path}:/mnt/models:ro", image, "--model-store=/mnt/models"
    )
    assert done.returncode == 2
    assert "/mnt/models" in done.stderr and "'echo'" in done.stderr


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """(options that mount certificates and set mutual TLS, the folder)."""
    folder = tmp_path_factory.mktemp("tls") / "files"
    authority = Authority(folder)
    authority.sign("server")
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    names = {"CERT": "server.pem", "KEY": "server.key", "CLIENT_CA": "ca.pem"}
    settings = [("--env", f"TRITON_GRPC_{name}_FILE=/tls/{file}") for name, file in names.items()]
    return ["--volume", f"{folder}:/tls:ro", *itertools.chain(*settings)], folder


def test_python_of_the_image_checks_certificates(engine, image, tls):
    with container(engine, *tls[0], image) as name:
        assert_supervised(engine, name)


def test_unreadable_key_is_reported(engine, image, tls):
    (tls[1] / "server.key").chmod(0o600)
    done = engine.client.run("run", "--rm", *tls[0], image)
    assert done.returncode == 2
    assert "TRITON_GRPC_KEY_FILE" in done.stderr and "'/tls/server.key'" in done.stderr
