"""Hub, ClearML, package index and registry, in reach or not. Servers on loopback; pip and docker are stubs or real."""

import sys
import time
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.loopback.clearml_server import ClearmlServer
from tests.loopback.faulty import FaultyProxy
from tests.loopback.serving import Answering, LoopbackServer
from utils.diagnosis import network
from utils.diagnosis.findings import FAULT, OK, WARNING, ok
from utils.docker.client import BUILT_IN, DockerClient
from utils.docker.engine import Engine

UNUSED = "http://127.0.0.1:9"  # port 9, the discard service, has no server any more
FOREIGN = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HF_HUB_OFFLINE",
    "CLEARML_API_HOST",
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
)


class _Status(Answering):
    def answer(self):
        if self.loopback.fault == "hang":
            self.hang()
        else:
            self.send_json([], int(self.loopback.fault or 200))


class Server(LoopbackServer):
    answering = _Status


@pytest.fixture(autouse=True)
def bare(tmp_path, monkeypatch):
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(tmp_path / "clearml.conf"))
    monkeypatch.setattr(network, "ANSWER_SECONDS", 1)


class TestHub:
    @pytest.mark.parametrize(
        ("fault", "status"),
        [(None, OK), ("404", OK), ("401", WARNING), ("407", WARNING), ("503", WARNING), ("hang", WARNING)],
    )
    def test_its_answer(self, monkeypatch, fault, status):
        with Server(fault) as server:
            monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
            started = time.monotonic()
            assert network.hub().status == status
            assert time.monotonic() - started < 8
            assert server.requests[0][1] == "/api/models?limit=1"

    def test_a_token_is_accepted(self, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_123456")
        with Server("401") as server:
            monkeypatch.setenv("HF_ENDPOINT", server.url)
            assert network.hub().status == OK

    def test_no_server(self, monkeypatch):
        monkeypatch.setenv("HF_ENDPOINT", UNUSED)
        found = network.hub()
        assert found.status == WARNING and UNUSED in found.found and "refused" in found.found

    def test_the_proxy_of_the_environment_is_used(self, monkeypatch):
        monkeypatch.setenv("HF_ENDPOINT", "http://hub.example")
        with Server() as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            assert network.hub().status == OK
            assert proxy.requests[0][1] == "http://hub.example/api/models?limit=1"

    def test_a_password_in_the_address_is_not_shown(self, monkeypatch):
        monkeypatch.setenv("HF_ENDPOINT", "http://me:secret@127.0.0.1:9")
        assert "secret" not in str(network.hub())

    def test_offline_mode(self, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setenv("HF_ENDPOINT", UNUSED)
        assert network.hub().status == OK

    def test_an_invalid_certificate_file(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HF_ENDPOINT", "https://127.0.0.1:9")
        (tmp_path / "bundle").write_text("nothing")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle"))
        assert network.hub().status == WARNING

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_a_private_authority_is_trusted_as_by_the_storages(self, monkeypatch, tmp_path, variable):
        authority = Authority(tmp_path / "authority")
        with Server() as server, FaultyProxy(server.url, files="", certificate=authority.sign("hub")) as proxy:
            monkeypatch.setenv("HF_ENDPOINT", proxy.url)
            assert "CERTIFICATE_VERIFY_FAILED" in network.hub().found
            monkeypatch.setenv(variable, str(authority.folder / "ca.pem"))
            assert network.hub().status == OK


class TestClearml:
    def test_not_configured(self):
        found = network.clearml()
        assert found.status == WARNING and "not configured" in found.found

    @pytest.mark.parametrize(("fault", "status"), [(None, OK), ("no api", WARNING), ("hang", WARNING)])
    def test_its_answer(self, monkeypatch, fault, status):
        with ClearmlServer({}, fault) as server:
            monkeypatch.setenv("CLEARML_API_HOST", server.url)
            assert network.clearml().status == status

    def test_the_address_of_a_configuration_file(self, tmp_path):
        with ClearmlServer({}) as server:
            (tmp_path / "clearml.conf").write_text(
                f'api {{\n  web_server: http://w\n  api_server: "{server.url}"\n}}\n'
            )
            found = network.clearml()
        assert found.status == OK and server.url in found.found


class TestPackageIndex:
    @pytest.fixture
    def pip(self, tmp_path, monkeypatch):
        def make(code, expected=""):
            (tmp_path / "pip.py").write_text(f"import sys\nprint({expected!r}, file=sys.stderr)\nsys.exit({code})\n")
            monkeypatch.setattr(network.wheelhouse, "find_pip", lambda: [sys.executable, str(tmp_path / "pip.py")])

        return make

    def test_reachable(self, pip):
        pip(0)
        assert network.package_index().status == OK

    @pytest.mark.parametrize(("ready", "status", "code"), [(True, WARNING, 0), (False, FAULT, 2)])
    def test_unreachable_is_a_fault_only_without_an_environment(self, pip, monkeypatch, ready, status, code):
        pip(1, "ERROR: no such host")
        monkeypatch.setattr(type(network.FACTORY), "is_ready", lambda self: ready)
        found = network.package_index()
        assert (found.status, found.exit_code) == (status, code)
        assert "ERROR: no such host" in found.found

    def test_the_configuration_of_pip_is_used(self, monkeypatch, tmp_path):
        """The real pip, limited to an empty folder."""
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
        assert network.package_index().status in (WARNING, FAULT)


class TestRegistry:
    @pytest.mark.parametrize(
        ("body", "status", "text"),
        [
            ("echo '{}'", OK, "can be pulled"),
            ("echo 'denied: no such image' >&2; exit 1", WARNING, "denied: no such image"),
            ("exec sleep 60", WARNING, "no answer in 1 s"),
        ],
    )
    def test_its_answer(self, tmp_path, monkeypatch, body, status, text):
        monkeypatch.setattr(network, "ANSWER_SECONDS", 0.5)
        program = tmp_path / "docker"
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/call\n{body}\n')
        program.chmod(0o755)
        engine = Engine(client=DockerClient(program=program, builder=BUILT_IN))
        found = network.registry(engine, "a.example/b:1")
        assert found.status == status and text in found.found
        assert (tmp_path / "call").read_text() == "manifest inspect a.example/b:1\n"


class TestRunning:
    def test_a_check_that_hangs_becomes_a_warning(self, monkeypatch):
        monkeypatch.setattr(network, "LIMIT_SECONDS", 0.5)
        started = time.monotonic()
        findings = network.Running(
            [("slow", lambda: time.sleep(30)), ("quick", lambda: ok("quick", "fine"))]
        ).findings()
        assert time.monotonic() - started < 5
        assert [(each.check, each.status) for each in findings] == [("slow", WARNING), ("quick", OK)]

    def test_a_failing_check_is_a_warning(self):
        (found,) = network.Running([("odd", Path("/no/such/file").stat)]).findings()
        assert found.status == WARNING and "FileNotFoundError" in found.found
