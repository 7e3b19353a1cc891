"""A machine whose environment names a proxy for everything: builds, proofs and examples stay on the loopback."""

import os
import shutil

import pytest

from tests import shared_conversions, tiny_models, warm_builds
from utils import ROOT
from utils.host.build_tree import BUILD

NAME = "test-proxies"
# No one listens there: a request that goes by the proxy fails.
PROXY = "http://127.0.0.1:9"
VARIABLES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(scope="module")
def behind_a_proxy():
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | dict.fromkeys(VARIABLES, PROXY)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module")
def built(model, behind_a_proxy):
    words = [str(model), str(model), "-", NAME, "v1", "4", "--task", "logits", "--no-image", "--no-measure"]
    done = warm_builds.build(words, shared_conversions.environment(**behind_a_proxy), ROOT)
    assert done.returncode == 0, done.stderr
    yield BUILD / NAME / "v1/model_repository"
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


def test_a_build_is_proven(built):
    assert built.is_dir()


@pytest.mark.long("triton_client*")
@pytest.mark.parametrize(("example", "option"), [("logits_client.py", "--url"), ("triton_client.py", "--http")])
def test_an_example_reaches_the_server(built, model, behind_a_proxy, serve_repository, example, option):
    address = serve_repository(built).address
    where = {"--url": [f"http://{address.http}"], "--http": [address.http, "--grpc", address.grpc]}[option]
    words = (NAME, model, "a text", option, *where)
    assert warm_builds.python(ROOT / "examples" / example, *words, environment=behind_a_proxy)
