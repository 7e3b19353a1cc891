"""The commands sent to the engine, and the messages when it refuses. docker is a stub that records its arguments."""

import pytest

from utils.docker.client import BUILDX, BUILT_IN, LEGACY, DockerClient
from utils.docker.engine import Engine, connect, untagged
from utils.docker.running_container import _reason
from utils.host.errors import BootProofError, ImageError, ReleaseError

HEAD = '#!/bin/sh\nprintf "%s\\n" "$@" -- >> {folder}/calls\n'


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """docker(body) puts a stub on PATH whose shell `case` on "$1 $2" is `body`; .calls() lists its arguments."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("DOCKER_HOST", raising=False)

    def make(body, builder=BUILT_IN):
        program = tmp_path / "docker"
        script = f'case "$1 $2" in\n"version --format") echo 20.10.1;;\n"buildx version") exit 1;;\n{body}\nesac\n'
        program.write_text(HEAD.format(folder=tmp_path) + script)
        program.chmod(0o755)
        return Engine(client=DockerClient(program=program, builder=builder))

    def calls():
        text = (tmp_path / "calls").read_text()
        return [call.splitlines() for call in text.split("--\n") if call]

    make.calls = calls
    return make


@pytest.mark.parametrize("host", ["unix:///no/such.sock", "tcp://10.1.2.3:2375"])
def test_unreachable_engine_is_named(docker, monkeypatch, host):
    docker("").client.program.write_text(
        '#!/bin/sh\ncase "$3" in *Client*) echo 20.10.1;; esac\necho "Cannot connect" >&2\nexit 1\n'
    )
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ImageError, match=rf"no Docker engine answers at {host} \(Cannot connect\).*--no-image"):
        connect()


def test_default_socket_is_named(docker):
    docker("").client.program.write_text(
        '#!/bin/sh\ncase "$1 $3" in\n"version {{.Client"*) echo 20.10.1;;\n'
        "context*) echo unix:///the/socket; exit 0;;\nesac\nexit 1\n"
    )
    with pytest.raises(ImageError, match="answers at unix:///the/socket"):
        connect()


@pytest.mark.parametrize(
    ("host", "remote"),
    [
        ("unix:///a/socket", ""),
        ("tcp://127.0.0.1:2375", ""),
        ("tcp://docker:2375", "docker"),
        ("ssh://me@far.example:22", "far.example"),
    ],
)
def test_host_of_published_ports(docker, monkeypatch, host, remote):
    docker("")
    monkeypatch.setenv("DOCKER_HOST", host)
    assert connect().remote_host == remote


def test_present_image_is_not_pulled(docker):
    docker('"image inspect") echo sha256:1;;').pull_if_missing("ubuntu:24.04")
    assert [call[0] for call in docker.calls()] == ["image"]


def test_image_that_cannot_be_pulled(docker):
    engine = docker('"image inspect") exit 1;;\n"pull a/b:1") echo "pull access denied" >&2; exit 1;;')
    with pytest.raises(ImageError, match=r"base image a/b:1 .*\(pull access denied\).*--base-image.*docker login"):
        engine.pull_if_missing("a/b:1")


def test_base_without_python(docker):
    engine = docker('"run --rm") echo "docker: exec: \\"python3\\": not found" >&2; exit 127;;')
    with pytest.raises(ImageError, match=r"bare:1 has no python3 .*not found.*full Triton image"):
        engine.python_version("bare:1")


def test_missing_backend_is_reported(docker):
    docker('"run --rm") for last; do :; done; echo "${last}";;').require_backend("whole:1", "pytorch")
    engine = docker('"run --rm") echo "ls: cannot access it" >&2; exit 2;;')
    with pytest.raises(ImageError, match=r"bare:1 has no /opt/tritonserver/backends/pytorch, .*--format") as refusal:
        engine.require_backend("bare:1", "pytorch")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('NAME=Ubuntu\nID=ubuntu\nVERSION_ID="24.04"\n', ("ubuntu", "24.04")),
        ("ID='debian'\n# no version\n", ("debian", "")),
        ("", ("", "")),
    ],
)
def test_os_release(docker, tmp_path, text, expected):
    (tmp_path / "os-release").write_text(text)
    assert docker(f'"run --rm") cat {tmp_path}/os-release;;').os_release("x") == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (["PATH=/bin", "NVIDIA_TRITON_SERVER_VERSION=24.10", "TRITON_SERVER_VERSION=2.51.0"], "24.10"),
        (["PATH=/bin"], ""),
        (["NVIDIA_TRITON_SERVER_VERSION=main"], ""),
    ],
)
def test_release_of_a_base(docker, variables, expected):
    assert docker(f'"image inspect") printf "%s\\n" {" ".join(variables)} "";;').triton_release("x") == expected


def test_unknown_machine(docker):
    with pytest.raises(ImageError, match="s390x"):
        docker('"image inspect") echo s390x;;').machine("x")


@pytest.mark.parametrize(
    ("image", "digest"),
    [
        ("nvcr.io/nvidia/tritonserver:26.08-py3", "sha256:2"),
        ("nvcr.io/nvidia/tritonserver@sha256:2", "sha256:2"),
        ("other:1", "sha256:1"),
    ],
)
def test_the_digest_is_that_of_the_repository_in_the_name(docker, image, digest):
    engine = docker('"image inspect") echo mirror/triton@sha256:1; echo nvcr.io/nvidia/tritonserver@sha256:2;;')
    assert engine.digest(image) == digest


def test_an_image_of_the_engine_itself_has_no_digest(docker):
    assert docker('"image inspect") echo;;').digest("own:1") == ""


BUILD = """*build*)
  while [ $# -gt 0 ]; do [ "$1" = --iidfile ] && echo sha256:new > "$2"; shift; done;;
"image inspect") echo sha256:new;;"""


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (BUILT_IN, ["build", "--network", "none", "--progress", "auto"]),
        (LEGACY, ["build", "--network", "none", "--force-rm"]),
        (BUILDX, ["buildx", "build", "--load", "--network", "none", "--progress", "auto"]),
    ],
)
def test_build_passes_values_unchanged(docker, tmp_path, builder, expected):
    engine = docker(BUILD, builder)
    labels = {"a": "$(touch /tmp/no) 'x' \"y\"", "b": "=д"}
    image_id = engine.build(tmp_path, build_args={"RUNTIME": "slim"}, labels=labels, no_cache=False)
    assert image_id == "sha256:new"
    call = docker.calls()[0]
    assert call[: len(expected)] == expected
    assert call[len(expected) : -3] == [
        *("--build-arg", "RUNTIME=slim", "--label", "a=$(touch /tmp/no) 'x' \"y\"", "--label", "b==д")
    ]
    assert call[-1] == str(tmp_path)


def test_failed_build_quotes_docker(docker, tmp_path):
    engine = docker('"build --network") echo "no space left on device" >&2; exit 1;;')
    with pytest.raises(ImageError, match="no space left on device"):
        engine.build(tmp_path, build_args={}, labels={}, no_cache=True)


def test_layers_are_listed_from_the_lowest(docker):
    engine = docker(r'"history --no-trunc") printf "0\tENV A=1\n123\tRUN a <<EOF\nb\nEOF\n" ;;')
    assert engine.layers("a:1") == (("RUN a <<EOF", 123), ("ENV A=1", 0))
    assert docker('"history --no-trunc") exit 1;;').layers("a:1") == ()


def test_builder_that_does_not_load_its_image(docker, tmp_path):
    with pytest.raises(ImageError, match="docker buildx use default"):
        docker(BUILD.replace("echo sha256:new;;", "exit 1;;", 1)).build(
            tmp_path, build_args={}, labels={}, no_cache=False
        )


@pytest.mark.parametrize(("names", "removed"), [(0, True), (1, False)])
def test_tagged_image_is_not_removed(docker, names, removed):
    engine = docker(f'"image inspect") echo {names};;')
    with pytest.raises(KeyboardInterrupt), untagged(engine, "sha256:1"):
        raise KeyboardInterrupt
    assert (["rmi", "sha256:1"] in docker.calls()) is removed


def test_container_that_cannot_start_is_removed_by_its_name(docker):
    engine = docker('"run --detach") echo "docker: could not select device driver" >&2; exit 125;;')
    with pytest.raises(BootProofError, match=r"could not select device driver.*--no-verify"), engine.run("i"):
        pass
    start, remove = docker.calls()[0], docker.calls()[-1]
    assert remove[:2] == ["rm", "--force"]
    assert remove[-1] == start[start.index("--name") + 1]
    assert "--read-only" in start
    assert "127.0.0.1::8000" in start


def test_container_that_exits_is_reported_with_its_log(docker):
    body = """"run --detach") echo id;;
"port "*) exit 1;;
"inspect --format") echo false 1 false;;
"logs --tail") echo "I1121 fine"; echo "E1121 12:00:00 1 x.cc:1] failed to load 'm'" >&2;;"""
    sentence = r"with code 1; .*\nE1121 .* failed to load 'm'$"
    with pytest.raises(BootProofError, match=sentence), docker(body).run("i"):
        pass


def test_container_killed_for_lack_of_memory(docker):
    body = '"run --detach") echo id;;\n"port "*) exit 1;;\n"inspect --format") echo false 137 true;;'
    with pytest.raises(BootProofError, match="killed for lack of memory"), docker(body).run("i"):
        pass


def test_server_that_does_not_get_ready(docker):
    body = '"run --detach") echo id;;\n"port "*) echo 127.0.0.1:9;;\n"inspect --format") echo true 0 false;;'
    sentence = r"not ready at 127\.0\.0\.1:9 within 0\.2 s"
    with pytest.raises(BootProofError, match=sentence), docker(body).run("i", ready_within=0.2):
        pass


def test_remote_engine_publishes_on_its_own_host(docker, capsys):
    local = docker('"run --detach") exit 125;;')
    with pytest.raises(BootProofError), Engine(client=local.client, remote_host="far").run("i"):
        pass
    assert "0.0.0.0::8000" in docker.calls()[0]
    assert " far\n" in capsys.readouterr().err


def test_log_without_errors_is_quoted_from_its_end():
    assert _reason("Error: Failed to initialize NVML\n" + "\n".join(map(str, range(20)))).split() == [
        str(n) for n in range(8, 20)
    ]


DIGEST = "sha256:" + "0123456789abcdef" * 4
PUSHED = f'"image inspect") echo r:5000/a@{DIGEST};;\n"push r:5000/a:b") '


def test_push_has_a_tag_of_its_own_which_is_removed_here(docker):
    engine = docker(PUSHED + f"echo layer: Pushed; echo b: digest: {DIGEST} size: 1;;")
    assert engine.push("sha256:1", "r:5000/a:b", seconds=60) == DIGEST
    assert [call[0] for call in docker.calls()] == ["tag", "push", "image", "rmi"]


def test_refused_push_quotes_docker(docker):
    engine = docker(PUSHED + "echo layer: Waiting; echo denied: no >&2; exit 1;;")
    with pytest.raises(ReleaseError, match=r"push of r:5000/a:b failed \(denied: no\)"):
        engine.push("sha256:1", "r:5000/a:b", seconds=60)
    assert docker.calls()[-1][:2] == ["rmi", "r:5000/a:b"]


def test_push_that_hangs_is_ended(docker):
    engine = docker(PUSHED + "exec sleep 60;;")
    with pytest.raises(ReleaseError, match=r"failed \(not finished in 0\.5 s\)"):
        engine.push("sha256:1", "r:5000/a:b", seconds=0.5)


def test_digest_that_the_engine_does_not_store_is_refused(docker):
    other = DIGEST.replace("0", "1")
    engine = docker(PUSHED + f"echo b: digest: {other} size: 1;;")
    with pytest.raises(ReleaseError, match=rf"without the digest that the engine stored \(b: digest: {other}"):
        engine.push("sha256:1", "r:5000/a:b", seconds=60)


@pytest.mark.parametrize(
    ("host", "insecure"),
    [
        ("127.0.0.1:5000", True),
        ("10.1.2.3", True),
        ("10.2.0.1:5000", False),
        ("plain.example.org", True),
        ("registry.example.org", False),
        ("docker.io", False),
    ],
)
def test_insecure_registries_are_those_of_the_engine(docker, host, insecure):
    config = (
        '{"InsecureRegistryCIDRs":["127.0.0.0/8","10.1.0.0/16"],"IndexConfigs":'
        '{"docker.io":{"Secure":true},"plain.example.org":{"Secure":false}}}'
    )
    assert docker(f"\"info --format\") echo '{config}';;").is_insecure(host) is insecure
