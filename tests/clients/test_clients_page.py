"""The Python and bash blocks of docs/clients.md, run as they stand there, with models of the names on the page."""

import re
import subprocess
import sys

import pytest
import triton_image_client as client
from triton_image_client.settings import Options

from tests.clients.scoring import COMMAND, environment
from utils import ROOT

PAGE = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
PYTHON, BASH = (re.findall(rf"(?ms)^```{language}\n(.*?)^```", PAGE) for language in ("python", "bash"))
# The names of docs/tasks.md.
NAMES = {
    "topics": "text-classification",
    "entailment": "text-pair-classification",
    "reader": "question-answering",
    "reranker": "text-ranking",
    "any-label": "zero-shot-classification",
    "embedder": "feature-extraction",
}


@pytest.fixture
def place(served, tmp_path, monkeypatch):
    """place(block): the block with the addresses and names of the real server. The folder has texts.csv and `score`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_text("text\nHeavy rain is expected tonight.\nStir the sauce.\n")
    script = tmp_path / "bin/score"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {COMMAND[0]} -c "{COMMAND[2]}" "$@"\n')
    script.chmod(0o755)

    def put(block):
        block = block.replace("http://127.0.0.1:8000", served.http).replace("grpc://127.0.0.1:8001", served.grpc)
        for name, task in NAMES.items():
            block = re.sub(rf'(model="|--model ){name}\b', rf"\g<1>{served.models[task]}", block)
        return block

    return put


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_a_python_block_runs(place, number):
    done = subprocess.run(
        [sys.executable, "-c", place(PYTHON[number])], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "try later" not in done.stdout
    if "triton.protoset" in PYTHON[number]:
        assert_describes_the_service()
    else:
        assert done.stdout


def assert_describes_the_service():
    """The file has all that protoc needs: messages and service, with their imports before them."""
    from pathlib import Path

    from google.protobuf import descriptor_pb2, descriptor_pool

    files = descriptor_pb2.FileDescriptorSet.FromString(Path("triton.protoset").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    assert [file.name for file in files.file] == ["model_config.proto", "grpc_service.proto"]
    assert "ModelInfer" in pool.FindServiceByName("inference.GRPCInferenceService").methods_by_name


@pytest.mark.parametrize("number", range(len(BASH)))
def test_a_command_runs(place, tmp_path, number):
    variables = environment()
    variables["PATH"] = f"{tmp_path}/bin:{variables['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", place(BASH[number])]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "rows in" in done.stderr


def test_the_page_has_every_class_option_and_exit_code():
    classes = {name for name in client.__all__ if not name.startswith("Async")}
    assert [name for name in sorted(classes) if f"`{name}`" not in PAGE] == []
    assert [name for name in Options.__annotations__ if f"| `{name}` |" not in PAGE] == []
