"""The proof on a real server for the families people fine-tune; the four of test_build.py are not repeated.

In this process, through the real entry: every type converts in tests/families, what is new here is that it serves.
"""

import shutil

import pytest

from tests.families import build
from utils.host.build_tree import BUILD
from utils.make_triton_image import make_triton_image

NAMED = ("albert", "electra", "camembert", "mpnet", "deberta", "deberta-v2", "modernbert", "gpt2", "llama", "qwen2")


@pytest.mark.long("gpt2", "deberta-v2")
@pytest.mark.parametrize("model_type", NAMED)
def test_a_family_passes_the_proof(model_type, tmp_path, capfd):
    model = build.make_model(model_type, tmp_path / "model")
    name = f"test-family-{model_type}"
    try:
        repository = make_triton_image([str(model), str(model), "-", name, "v1", "8", "--no-image", "--no-measure"])
        assert repository == str(BUILD / name / "v1/model_repository")
        assert "golden requests over HTTP and gRPC: answers equal" in capfd.readouterr().err
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)
