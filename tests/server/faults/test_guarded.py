"""The supervisor with and without the request guard."""

import json
import shutil

import pytest

from tests.server.faults.conftest import ONE_LAYOUT
from tests.server.faults.raw_http import exchange
from tests.server.faults.supervised import OPENER, lay_out_serving
from tests.server.faults.target import Target
from utils import ROOT
from utils.diagnosis.target import infer_body


@ONE_LAYOUT
def test_a_server_without_a_guard(run, built):
    """A large body gets the release's own answer: from 25.10 on the whole body counts for its limit."""
    server = run(TRITON_GUARD="never")
    assert server.guard is None
    target = Target(server, built[0])
    assert target.infer(b" " * 70_000_000).status == (400 if target.release >= "25.10" else 500)
    assert "request guard enabled" not in server.log_text()


@pytest.mark.long("26.08*")
@ONE_LAYOUT
@pytest.mark.parametrize("release", ["24.10", "26.08"])
def test_auto_enables_the_guard_on_every_release(run, release):
    """Every release has a known fault. The release is set in the environment, whatever the server's own is."""
    server = run(TRITON_GUARD="auto", NVIDIA_TRITON_SERVER_VERSION=release)
    assert "request guard enabled" in server.log_text()
    assert server.guard


@ONE_LAYOUT
def test_a_guard_without_a_size_limit_keeps_the_other_limits(run, built):
    server = run(TRITON_MAX_INPUT_BYTES="0")
    target = Target(server, built[0])
    assert target.infer(infer_body(["a" * 70_000_000])).status == 200
    assert [target.infer(body).status for body in (b"[" * 5000, infer_body(data=[3]))] == [400, 400]
    target.assert_unharmed()
    announced = b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 2147483648\r\n\r\n"
    assert [reply.status for reply in exchange(target, [announced])] == [413]
    assert "request guard enabled" in server.log_text() and "2147483647 bytes" in server.log_text()


@ONE_LAYOUT
def test_a_guard_keeps_the_limit_that_was_set(run, built):
    server = run(TRITON_MAX_INPUT_BYTES="2000")
    target = Target(server, built[0])
    assert target.infer(b" " * 2001).status == 413
    target.assert_unharmed()
    assert "Started Metrics Service at 0.0.0.0:" in server.log_text(), "which by default follows HTTP's address"
    assert "Started HTTPService at 127.0.0.1:" in server.log_text()


@ONE_LAYOUT
def test_the_try_page_is_served_beside_the_answers(run, built, tmp_path):
    """The files are where the Dockerfile puts them."""
    name, repository = built
    folder = lay_out_serving(tmp_path / "opt", repository.parent / "golden.json")
    shutil.copy(repository.parent / "try.json", folder)
    shutil.copytree(ROOT / "deploy/try_page", folder / "try_page")
    server = run(folder=folder, TRITON_TRY_PAGE="true")
    with OPENER.open(f"http://{server.address.http}/", timeout=10) as page:
        assert page.url.endswith("/try/") and b"main.js" in page.read()
    with OPENER.open(f"http://{server.address.http}/try/try.json", timeout=10) as data:
        assert json.load(data)["model"] == name
    Target(server, name).assert_unharmed()
    assert "try-it page enabled" in server.log_text()
