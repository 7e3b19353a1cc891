"""What the container's arguments start, in a separate process, and the entry script of NVIDIA's images.

The script is written for these tests after the facts known of NVIDIA's: parts that are sourced, a banner on stdout, a
part that puts tritonserver before the arguments where AIP_MODE is set, and `exec "$@"` at the end.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from utils import ROOT

SCRIPT = """\
#!/bin/bash
for part in "$(dirname "$0")"/entrypoint.d/*.sh; do source "${part}"; done
echo
if [[ $# -eq 0 ]]; then exec /bin/bash; else exec "$@"; fi
"""
PARTS = {
    "10-banner.sh": "echo '== Triton =='\necho 'WARNING: no driver' >&2\n",
    "50-gpu-driver-check2.sh": "export TRITON_SERVER_CPU_ONLY=1\nexport LINES_OF='a\nb'\n",
    "99-check-run-aip-mode.sh": 'set -- ${AIP_MODE:+"/opt/tritonserver/bin/tritonserver"} "$@"\n',
}
START = """
import sys
sys.path.insert(0, {folder!r})
from supervisor import base_entry, entry
base_entry.SCRIPT = {script!r}
base_entry.SECONDS = 2
sys.exit(entry.main(sys.argv[1:], {folder!r}))
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "entrypoint.d").mkdir()
    for name, text in PARTS.items():
        (tmp_path / "entrypoint.d" / name).write_text(text)
    file = tmp_path / "nvidia_entrypoint.sh"
    file.write_text(SCRIPT)
    file.chmod(0o755)
    return file


def enter(script, *arguments, **environment):
    code = START.format(folder=str(ROOT / "deploy"), script=str(script))
    command = [sys.executable, "-I", "-S", "-c", code, *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=30)


def test_the_loader_does_not_search_the_current_folder(script):
    look = "import os; print(os.environ['LD_LIBRARY_PATH'])"
    path = "/opt/hpcx/ucc/lib/:/opt/hpcx/ucx/lib/:"
    assert enter(script, "python3", "-c", look, LD_LIBRARY_PATH=path).stdout == path[:-1] + "\n"


def test_another_command_runs_with_the_variables_of_the_script(script):
    look = "import json, os; print(json.dumps(dict(os.environ)))"
    done = enter(script, "python3", "-c", look)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)  # and nothing else is on stdout
    assert found["TRITON_SERVER_CPU_ONLY"] == "1" and found["LINES_OF"] == "a\nb"
    assert found["HOME"] == os.environ["HOME"]
    assert "== Triton ==" in done.stderr and "WARNING: no driver" in done.stderr


def test_a_base_without_the_script(tmp_path):
    done = enter(tmp_path / "none.sh", "bash", "-c", "echo hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\n", "")


def test_exit_code_and_signals_of_the_command_are_kept(script):
    assert enter(script, "bash", "-c", "exit 7").returncode == 7
    assert enter(script, "bash", "-c", "kill -TERM $$; sleep 9").returncode == -signal.SIGTERM
    assert enter(script, "bash", "-c", "set -o pipefail; yes | head -1").returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("change", "output"),
    [
        (lambda file: file.chmod(0o644), "cannot be run (Permission denied)"),
        (lambda file: file.write_text("#!/bin/bash\nexit 3\n"), "ended with 3"),
        (lambda file: file.write_text("#!/bin/bash\nexec sleep 60\n"), "was killed after 2 s"),
        (lambda file: file.write_text("#!/bin/bash\nexit 0\n"), "did not run its arguments"),
    ],
    ids=["not executable", "fails", "hangs", "runs nothing"],
)
def test_a_failing_script_is_reported_and_ignored(script, change, output):
    change(script)
    done = enter(script, "bash", "-c", "echo hi")
    assert (done.returncode, done.stdout) == (0, "hi\n")
    assert done.stderr == f"supervisor: the base image's {script} {output}; continuing without it\n"


def test_a_signal_during_the_script_reaches_the_command(script):
    """The kernel drops signals to a main process without a handler."""
    (script.parent / "entrypoint.d/60-wait.sh").write_text(
        f"touch {script.parent}/waits\nsleep 1\ntouch {script.parent}/past\n"
    )
    code = START.format(folder=str(ROOT / "deploy"), script=str(script))
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code, "sleep", "30"], stderr=subprocess.PIPE) as process:
        started = time.monotonic()
        while not (script.parent / "waits").exists():
            assert time.monotonic() - started < 10
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
        assert (script.parent / "past").exists()
        assert b"failed" not in process.stderr.read()


def test_aip_mode_does_not_change_the_command(script):
    done = enter(script, "bash", "-c", "echo ${AIP_MODE:-none}", AIP_MODE="PREDICTION")
    assert (done.returncode, done.stdout) == (0, "none\n")
    assert "supervisor: AIP_MODE is ignored" in done.stderr


def test_a_missing_command_is_reported(script, tmp_path):
    done = enter(script, "no-such-command")
    assert done.returncode == 127 and "no-such-command cannot be run" in done.stderr
    assert enter(script, str(tmp_path)).returncode == 126


@pytest.mark.parametrize("arguments", [(), ("--log-verbose=1",), ("tritonserver",), ("tritonserver", "--id=a")])
def test_without_a_command_the_installed_server_runs(script, arguments):
    """This machine has none: the message names the path."""
    done = enter(script, *arguments)
    assert done.returncode == 1
    assert "supervisor: /opt/tritonserver/bin/tritonserver cannot be started" in done.stderr


def test_with_json_logs_everything_is_json_on_stdout(script, tmp_path):
    """The script's banner, the supervisor's lines, and those of a server that ends at once."""
    server = tmp_path / "bin/tritonserver"
    server.parent.mkdir()
    server.write_text('#!/bin/sh\necho "$@"\nexit 1\n')
    server.chmod(0o755)
    done = enter(script, str(server), "--id=a", TRITON_LOG_FORMAT="json")
    assert (done.returncode, done.stderr) == (1, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    output = {each["source"]: each for each in found}
    assert [each["message"] for each in found if each["source"] == "output"] == ["== Triton ==", "WARNING: no driver"]
    assert output["supervisor"]["level"] == "error" and "--help lists no flags" in output["supervisor"]["message"]


def test_another_command_is_not_affected_by_json_logs(script):
    assert enter(script, "bash", "-c", "echo hi", TRITON_LOG_FORMAT="json").stdout == "hi\n"


def test_the_path_of_another_server_is_run(script, tmp_path):
    server = tmp_path / "bin/tritonserver"
    server.parent.mkdir()
    server.write_text('#!/bin/sh\necho "$@"\nexit 1\n')
    server.chmod(0o755)
    done = enter(script, str(server), "--help", "--id=a")
    assert (done.returncode, done.stdout) == (1, "--help --id=a\n")
    done = enter(script, str(server), "--id=a")
    assert done.returncode == 1
    assert f"supervisor: {server} --help lists no flags: --help" in done.stderr


def test_the_wrapper_starts_the_supervisor_without_the_script(script):
    """deploy/supervisor/bin/tritonserver passes `--inside`; its own path is never used as the server's."""
    wrapper = ROOT / "deploy/supervisor/bin/tritonserver"
    assert "supervise.py --inside tritonserver" in wrapper.read_text()
    for name in ("tritonserver", str(wrapper)):
        done = enter(script, "--inside", name, "--log-verbose=1")
        assert done.returncode == 1 and "== Triton ==" not in done.stderr
        assert "/opt/tritonserver/bin/tritonserver cannot be started" in done.stderr
