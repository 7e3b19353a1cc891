"""The command that the supervisor starts. A script that prints a help text replaces tritonserver."""

import json

import pytest

from deploy.supervisor import guard, launch
from deploy.supervisor.body_limits import Rules
from deploy.supervisor.errors import Fault, SettingError

HELP = """\
Usage: tritonserver [options]
  --help
\tPrint usage
  --http-port <integer>
  --grpc-port <integer>
  --metrics-port <integer>
  --exit-timeout-secs <integer>
  --model-repository <string>
  --log-verbose <integer>
  --strict-readiness <boolean>
  --http-restricted-api <string>
  --grpc-restricted-protocol <string>
"""


@pytest.fixture
def program(tmp_path):
    """program(text): a path that prints it and exits 1, as Triton's --help does."""

    def make(text):
        (tmp_path / "said").write_text(text)
        file = tmp_path / "tritonserver"
        file.write_text(f'#!/bin/sh\ncat "{tmp_path}/said" >&2\nexit 1\n')
        file.chmod(0o755)
        return str(file)

    return make


def test_flags_and_settings_become_one_command(program, capsys):
    triton = program(HELP)
    read = launch.read(
        triton, ["--http-port=80", "--log-verbose", "1"], {"TRITON_GRPC_PORT": "81", "TRITON_ADMIN_KEY": "k" * 16}
    )
    restricted = "shared-memory,model-config,model-repository,statistics,trace,logging:admin-key=" + "k" * 16
    assert read.repositories == ["/models"]
    assert read.command(None, gated=False) == [
        triton, "--model-repository=/models", "--backend-config=python,shm-default-byte-size=1048576",
        "--log-verbose=1", "--strict-readiness=true", f"--http-restricted-api={restricted}",
        f"--grpc-restricted-protocol={restricted}", "--http-port=80", "--grpc-port=81", "--metrics-port=8002",
        "--exit-timeout-secs=8",
    ]  # fmt: skip
    assert "supervisor: these flags are used as settings: --http-port=80 (TRITON_HTTP_PORT)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "environment", "flags"),
    [
        ([], {}, ["--metrics-config=summary_latencies=true"]),
        ([], {"TRITON_MODEL_METRICS": "off"}, []),
        (["--metrics-config=counter_latencies=false"], {}, ["--metrics-config=counter_latencies=false"]),
    ],
)
def test_the_duration_of_requests_is_measured_unless_it_is_configured(program, words, environment, flags):
    read = launch.read(program(f"{HELP}  --metrics-config <string>=<string>\n"), words, environment)
    assert [each for each in read.command(None, gated=False) if each.startswith("--metrics-config")] == flags


def test_the_request_log_needs_two_headers(program):
    names = ("http-address", "reuse-http-port", "http-header-forward-pattern", "grpc-header-forward-pattern")
    triton = program(HELP + "".join(f"  --{name} <string>\n" for name in names))
    place = guard.Place("127.0.0.1", 0, Rules(1))
    forwarded = [
        "--http-header-forward-pattern=^guard-request$",
        "--grpc-header-forward-pattern=^(user-agent|x-request-id)$",
    ]

    def flags(*words, **variables):
        command = launch.read(triton, words, variables).command(place, gated=False)
        return [flag for flag in command if "forward-pattern" in flag]

    assert flags(TRITON_LOG_FORMAT="json") == forwarded
    assert flags() == []
    own = "--http-header-forward-pattern=.*"
    assert flags(own, TRITON_LOG_FORMAT="json") == [own, forwarded[1]]


def test_traces_need_a_release_with_the_flag(program):
    read = launch.read(program(HELP), [], {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"})
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        read.command(None, gated=False)
    flag = "  --trace-config <string>\n"
    read = launch.read(program(HELP + flag), [], {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"})
    assert "--trace-config=mode=opentelemetry" in read.command(None, gated=False)
    assert "--trace-config=level=off" not in read.command(None, gated=False)


def test_a_contradiction_is_found_before_the_start(program):
    read = launch.read(program(HELP), ["--strict-readiness=false"], {})
    with pytest.raises(SettingError, match="--strict-readiness=false is refused"):
        read.command(None, gated=False)


def test_a_broken_program_is_reported_with_its_last_line(program):
    library = "tritonserver: error while loading shared libraries: libb64.so.0: cannot open shared object file"
    with pytest.raises(Fault, match=rf"--help lists no flags: {library}"):
        launch.read(program(library + "\n"), [], {})
    with pytest.raises(Fault, match="--help lists no flags: exit code 1"):
        launch.read(program(""), [], {})
    with pytest.raises(Fault, match="cannot be started"):
        launch.read("/no/such/tritonserver", [], {})


@pytest.fixture
def golden(tmp_path):
    file = tmp_path / "golden.json"
    file.write_text(json.dumps({"rows": [{"model": "a"}, {"model": "b", "version": 2}, {"model": "a"}]}))
    return str(file)


def test_each_model_of_the_golden_requests_must_exist(golden, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "a").mkdir(parents=True)
    with pytest.raises(SettingError, match=f"{first} has no model 'b'.*omit --model-repository to serve /models"):
        launch.check_models([str(first)], golden)
    (second / "b").mkdir(parents=True)
    launch.check_models([str(first), str(second)], golden)
    with pytest.raises(SettingError, match="/no/such has no model 'a'"):
        launch.check_models(["/no/such"], golden)


def test_unreadable_repositories_are_left_to_the_canary(golden, tmp_path):
    launch.check_models(["s3://bucket/models"], golden)
    (tmp_path / "broken.json").write_text("{")
    launch.check_models(["/no/such"], str(tmp_path / "broken.json"))
    launch.check_models(["/no/such"], str(tmp_path / "absent.json"))
