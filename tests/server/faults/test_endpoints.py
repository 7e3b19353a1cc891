"""Ports, addresses and TLS of a supervised server, as settings and as flags, with real clients."""

import socket
import struct
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc

from tests.certificates import Authority
from tests.server.faults.conftest import ONE_LAYOUT
from tests.server.faults.supervised import supervised
from tests.server.faults.target import Target
from utils.diagnosis.target import GOOD, infer_body

pytestmark = ONE_LAYOUT
BY_FLAGS = {"TRITON_HTTP_PORT": "", "TRITON_GRPC_PORT": "", "TRITON_METRICS_PORT": ""}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    ours, theirs = Authority(folder / "ours"), Authority(folder / "theirs")
    return {
        "ca": ours.certificate,
        "server": ours.sign("server"),
        "client": ours.sign("client"),
        "stranger": theirs.sign("stranger"),
    }


def tls(certificates, *, mutual=False):
    cert, key = certificates["server"]
    return {
        "TRITON_GRPC_CERT_FILE": str(cert),
        "TRITON_GRPC_KEY_FILE": str(key),
        **({"TRITON_GRPC_CLIENT_CA_FILE": str(certificates["ca"])} if mutual else {}),
    }


def infer(server, model, certificates=None, who=None):
    """The labels of one text, over gRPC. Raises InferenceServerException."""
    options = {}
    if certificates:
        options = {"ssl": True, "root_certificates": str(certificates["ca"])}
        cert, key = certificates[who] if who else (None, None)
        options |= {"certificate_chain": str(cert), "private_key": str(key)} if who else {}
    with tritonclient.grpc.InferenceServerClient(server.address.grpc, **options) as client:
        text = tritonclient.grpc.InferInput("text_input", [1, 1], "BYTES")
        text.set_data_from_numpy(np.array([[GOOD.encode()]], dtype=object))
        return client.infer(model, [text], client_timeout=20).as_numpy("predicts").tolist()


def refused(server, model, *arguments):
    with pytest.raises(tritonclient.grpc.InferenceServerException) as raised:
        infer(server, model, *arguments)
    return str(raised.value)


def listening(port):
    """The addresses with a listener on `port` (proc_net_tcp(5)); mapped IPv4 addresses as IPv4."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, number = line.split()[1].partition(":")
            if int(number, 16) == port and line.split()[3] == "0A":
                words = [struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8)]
                family = socket.AF_INET6 if table == "tcp6" else socket.AF_INET
                found.add(socket.inet_ntop(family, b"".join(words)).removeprefix("::ffff:"))
    return found


def assert_drains(server):
    server.process.terminate()
    assert server.process.wait(10) == 0, server.log_text()


def test_tls_is_the_only_way_over_grpc(run, built, certificates):
    server = run(**tls(certificates))
    label = Target(server, built[0]).infer(infer_body()).outputs["predicts"][0]
    assert infer(server, built[0], certificates) == [[label.encode()]]
    assert "UNAVAILABLE" in refused(server, built[0])
    other = certificates | {"ca": certificates["stranger"][0]}
    assert "UNAVAILABLE" in refused(server, built[0], other)
    assert infer(server, built[0], certificates, "client")
    assert_drains(server)


def test_mutual_tls_requires_a_client_certificate(run, built, certificates):
    server = run(**tls(certificates, mutual=True))
    assert infer(server, built[0], certificates, "client")
    for who in (None, "stranger"):
        assert "UNAVAILABLE" in refused(server, built[0], certificates, who)
    assert infer(server, built[0], certificates, "client"), "others' attempts change nothing"


def test_clients_with_tls_wait_for_the_canary(run, built, certificates):
    server = run(ready=False, **tls(certificates))
    while server.status() != 503:
        assert server.process.poll() is None, server.log_text()
    assert "UNAVAILABLE" in refused(server, built[0], certificates)
    assert "supervisor: ready" not in server.log_text()
    server.wait_until_ready()
    assert infer(server, built[0], certificates)


def test_a_key_of_another_certificate_ends_the_start(built, serving, tmp_path, certificates):
    chosen = tls(certificates) | {"TRITON_GRPC_KEY_FILE": str(certificates["client"][1])}
    with supervised(built[1], serving, tmp_path, **chosen) as server:
        assert server.process.wait(10) == 2
    assert "are not a certificate and its unencrypted key in PEM (KEY_VALUES_MISMATCH)" in server.log_text()


def test_grpc_can_be_disabled(run, built):
    server = run(TRITON_GRPC="off")
    assert listening(server.ports["grpc"]) == set()
    assert "UNAVAILABLE" in refused(server, built[0])
    assert server.is_healthy()
    assert_drains(server)


def test_metrics_can_be_disabled_for_other_hosts(run, built):
    """The supervisor reads them, so they stay on the loopback."""
    server = run(TRITON_METRICS="off")
    assert listening(server.ports["metrics"]) == {"127.0.0.1"}
    assert listening(server.ports["grpc"]) == {"::"}
    assert server.status() == 200
    assert_drains(server)


def test_http_and_grpc_can_stay_on_the_loopback(run, built):
    server = run(ready=False, TRITON_HTTP_ADDRESS="127.0.0.1", TRITON_GRPC_ADDRESS="127.0.0.1")
    while server.status() != 503:
        assert server.process.poll() is None, server.log_text()
    assert "UNAVAILABLE" in refused(server, built[0])
    server.wait_until_ready()
    assert infer(server, built[0])
    assert listening(server.ports["http"]) == listening(server.ports["grpc"]) == {"127.0.0.1"}
    assert_drains(server)


def test_flags_can_set_the_ports(run, built):
    flags = ["--http-port={http}", "--grpc-port", "{grpc}", "--metrics-p={metrics}", "--allow-grpc=true", "--log-v=1"]
    server = run(flags=flags, **BY_FLAGS)
    assert infer(server, built[0])
    assert server.is_healthy(), "the health check asks the port of the flag"
    assert "these flags are used as settings: --http-port=" in server.log_text()
    assert_drains(server)
    assert not server.is_healthy()


def test_vertex_ai_s_mode_is_ignored(run, built):
    server = run(AIP_MODE="PREDICTION", AIP_HTTP_PORT="8080")
    assert infer(server, built[0])
    assert "supervisor: AIP_MODE is ignored" in server.log_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model-control-mode=explicit"], "--model-control-mode=explicit is refused"),
        (["--allow-http=false"], "--allow-http=false is refused"),
        (["--http-port=1"], "--http-port=1 and TRITON_HTTP_PORT="),
        (["--no-such-flag"], "has no flag --no-such-flag"),
    ],
)
def test_a_flag_that_is_refused_is_reported_in_one_sentence(built, serving, tmp_path, flags, message):
    with supervised(built[1], serving, tmp_path, flags=flags) as server:
        assert server.process.wait(10) == 2
    assert message in server.log_text().splitlines()[-1]
    assert "Usage" not in server.log_text()


def test_a_repository_without_the_model_is_reported_at_once(serving, tmp_path, built):
    (tmp_path / "models/other").mkdir(parents=True)
    with supervised(tmp_path / "models", serving, tmp_path) as server:
        assert server.process.wait(10) == 2
    last = server.log_text().splitlines()[-1]
    assert f"{tmp_path}/models has no model '{built[0]}', which the golden requests" in last


def test_a_second_repository_can_be_empty(run, built, tmp_path):
    (tmp_path / "more").mkdir()
    server = run(flags=[f"--model-store={tmp_path}/more"])
    assert infer(server, built[0])
