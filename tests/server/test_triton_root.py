"""TRITON_ROOT: the same server from a folder of its own, which lacks the ONNX Runtime and PyTorch backends.

The folder is a copy of the Triton from PyPI: that a newer release works in its place is not tested here.
"""

import shutil
from pathlib import Path

import pytest

from tests.image.conftest import ECHO_MODEL, write_repository
from tests.server.faults.target import family
from utils.diagnosis.target import Target
from utils.host.environments import SERVING
from utils.triton.root import VARIABLE
from utils.triton.server import serve, triton_for


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    _, laid_out = triton_for(SERVING)
    folder = shutil.copytree(
        laid_out, tmp_path / "opt/tritonserver", ignore=shutil.ignore_patterns("onnxruntime", "pytorch")
    )
    (folder / "TRITON_VERSION").write_text("2.51.0\n")
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def test_a_repository_is_served_by_the_tritonserver_in_the_folder(root, tmp_path):
    write_repository(tmp_path / "models")
    silent = "".join(line for line in ECHO_MODEL.splitlines(keepends=True) if "print(" not in line)
    (tmp_path / "models/echo/1/model.py").write_text(silent)
    with serve(tmp_path / "models") as server:
        target = Target(address=server.address.http, model="echo")
        programs = {Path(f"/proc/{pid}/exe").resolve() for pid in family(server.pid)}
        assert {root / "bin/tritonserver", root / "backends/python/triton_python_backend_stub"} <= programs
        assert target.generate("a").status == 200
        doubled = target.send(
            "/v2/models/double/infer", '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}'
        )
        assert doubled.outputs == {"y": [2, 4]}
