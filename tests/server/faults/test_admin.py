"""Row 16: the admin APIs are closed without the key, over HTTP and gRPC, and open with it."""

import json
import uuid
from pathlib import Path

from tests.server.faults.conftest import ONE_LAYOUT
from tests.server.faults.target import Target
from utils.diagnosis.admin_apis import ADMIN_GRPC, open_over_grpc, open_over_http
from utils.diagnosis.target import GOOD, infer_body

KEY = "a-key-of-24-characters.."


def test_admin_apis_are_closed(target):
    """Row 16, for the server of serve.sh, which has the same flags."""
    assert open_over_http(target) == []
    assert open_over_grpc(target.server.address.grpc) == []
    wrong = {"admin-key": KEY}
    assert target.send("/v2/logging", headers=wrong, method="GET").status == 403
    assert open_over_grpc(target.server.address.grpc, key=KEY) == []
    assert target.send(f"/v2/models/{target.model}", method="GET").status == 200, "metadata is no admin API"
    target.assert_unharmed()


def assert_shared_memory_is_open(target):
    """In every release, newer ones with a flag; an input may then be larger than its request."""
    name, text = f"triton-test-{uuid.uuid4().hex}", f"{GOOD} {'again ' * 400}".encode()
    region, content = Path("/dev/shm", name), len(text).to_bytes(4, "little") + text
    region.write_bytes(content)
    path = f"/v2/systemsharedmemory/region/{name}"
    try:
        body = json.dumps({"key": f"/{name}", "offset": 0, "byte_size": len(content)})
        registered = target.send(f"{path}/register", body, {"admin-key": KEY})
        assert registered.status == 200, registered.text
        where = {"shared_memory_region": name, "shared_memory_byte_size": len(content)}
        tensor = {"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "parameters": where}
        assert target.infer(json.dumps({"inputs": [tensor]})).body == target.infer(infer_body([text.decode()])).body
        assert target.send(f"{path}/unregister", b"", {"admin-key": KEY}).status == 200
    finally:
        region.unlink()


@ONE_LAYOUT
def test_the_key_opens_the_admin_apis(run, built, tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    server = run(TRITON_ADMIN_KEY_FILE=str(tmp_path / "key"))
    target = Target(server, built[0])
    assert target.send("/v2/logging", method="GET").status == 403
    assert target.send("/v2/logging", headers={"admin-key": KEY}, method="GET").status == 200
    assert open_over_grpc(server.address.grpc, key=KEY) == ADMIN_GRPC
    assert_shared_memory_is_open(target)
    load = target.send(f"/v2/repository/models/{built[0]}/load", b"{}", {"admin-key": KEY})
    assert load.status != 200, "models are fixed, key or not"
    assert KEY not in server.log_text()
