"""An image built with --api: proven through its routes, and served as in production, with keys from a file."""

import contextlib
import json
import shutil
import time
import urllib.error
import urllib.request
import uuid

import pytest

from tests.image.conftest import make
from tests.image.test_make_image import pytorch
from utils.docker.running_container import HARDENED
from utils.host.build_tree import BUILD

KEY = "first-key-0123456789"
TEXT = "помогите мне"


@pytest.fixture(scope="module")
def built(engine, bases, model):
    """(model name, what the build printed)."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    done = make(model, name, bases, "--api", "tei")
    assert done.returncode == 0, done.stderr
    yield name, done.stderr
    engine.client.run("rmi", "--force", f"tritoned_{name}:v1")
    shutil.rmtree(BUILD / name)


@contextlib.contextmanager
def container(engine, image, *options):
    """The API's URL of a container without rights, when it is healthy."""
    started = engine.client.run("run", "--detach", "-p", "127.0.0.1::8080", *HARDENED, *options, image)
    identity = started.stdout.strip()
    try:
        assert started.returncode == 0, started.stderr
        url = f"http://{engine.client.run('port', identity, '8080').stdout.split()[0]}"
        deadline = time.monotonic() + 60
        while status(f"{url}/health") != 200:
            assert time.monotonic() < deadline, engine.client.run("logs", identity, merged=True).stdout
            time.sleep(0.2)
        yield identity, url
    finally:
        engine.client.run("rm", "--force", identity)


def status(url, body=None, key=""):
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {key}"} if key else {})
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_the_build_proves_the_routes_and_the_image_serves_them(engine, model, built, tmp_path):
    name, printed = built
    record = json.loads((BUILD / name / "v1/build.json").read_text())
    assert record["proof"]["api_requests"] > 0
    assert f"{record['proof']['api_requests']} through the routes of --api" in printed
    assert "127.0.0.1:8080:8080" in printed
    (tmp_path / "keys").write_text(KEY)
    tmp_path.chmod(0o755)
    (tmp_path / "keys").chmod(0o644)
    options = ("-v", f"{tmp_path / 'keys'}:/keys:ro", "-e", "TRITON_API_KEYS_FILE=/keys", "-e", "TRITON_GRPC=off")
    with container(engine, f"tritoned_{name}:v1", *options) as (identity, url):
        body = json.dumps({"inputs": TEXT}).encode()
        assert [status(f"{url}/predict", body), status(f"{url}/predict", body, "wrong")] == [401, 401]
        request = urllib.request.Request(f"{url}/predict", body, {"Authorization": f"Bearer {KEY}"})
        (best,) = json.load(urllib.request.urlopen(request, timeout=10))
        label, score = pytorch(model, TEXT)
        assert (best["label"], best["score"]) == (label, pytest.approx(score, abs=1e-4))
        assert engine.client.run("exec", identity, "id", "-u").stdout.strip() == "1000"
        assert engine.client.run("exec", identity, "touch", "/opt/serving/x").returncode != 0
        engine.client.run("stop", identity)
        assert engine.client.run("inspect", "--format", "{{.State.ExitCode}}", identity).stdout.strip() == "0"


def test_the_sbom_has_the_packages_of_the_routes(built):
    names = {each["name"] for each in json.loads((BUILD / built[0] / "v1/sbom.cdx.json").read_text())["components"]}
    assert {"starlette", "uvicorn", "grpcio", "protobuf"} <= {name.lower() for name in names}
