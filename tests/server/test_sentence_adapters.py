"""An adapter that sentence-transformers added to an embedder and saved: served as its own encode answers.

The library saves the folder and answers in a process of its own, with PEFT beside it.
"""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tests import tiny_models
from tests.sentence_folders import NORMALIZE, dense, embedder, pooling
from tests.server.task_requests import ask, build
from utils.host import environment
from utils.host.build_tree import BUILD
from utils.host.environments import FACTORY, PEFT, SENTENCES

TEXTS = ["I would like my money back", "помогите мне", "", "word " * 400]
PROMPTS = {"prompts": {"query": "fox: "}, "default_prompt_name": "query"}
USERS_CODE = """
import json, sys
sys.path += sys.argv[1].split(":")
import peft, torch
from sentence_transformers import SentenceTransformer
base, folder, texts = sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
model = SentenceTransformer(base, device="cpu")
before = model.encode(texts)
model.add_adapter(peft.LoraConfig(target_modules=["query", "value"], task_type="FEATURE_EXTRACTION"))
torch.manual_seed(0)
for name, weight in model.named_parameters():
    if "lora_" in name:
        weight.data = torch.randn_like(weight) * 0.3
model.save(folder)
saved = SentenceTransformer(folder, device="cpu")
answers = before, saved.encode(texts), saved.encode(texts, prompt_name="document")
print(json.dumps([each.tolist() for each in answers]))
"""


def users_answers(base, folder):
    """Of the base, of the adapter with its default prompt, and of that without a prompt."""
    places = [
        str(next(environment.ensure(each).parent.parent.glob("lib/python*/site-packages")))
        for each in (SENTENCES, PEFT)
    ]
    command = [FACTORY.python, "-c", USERS_CODE, ":".join(places), base, folder, json.dumps(TEXTS)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [np.array(each) for each in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.long
def test_an_adapter_that_the_library_saved_is_served_as_encode_answers(tmp_path, serve_repository):
    """Its folder has the modules and prompts, not the weights of the base; its name tells transformers 4 the type."""
    base, folder, name = tmp_path / "base", tmp_path / "bert-adapter", "test-sentence-adapter"
    embedder(tiny_models.bert(base), [pooling("cls"), dense(32, 24), NORMALIZE], PROMPTS)
    before, right, without_prompt = users_answers(base, folder)
    assert (folder / "adapter_config.json").is_file() and not (folder / "model.safetensors").exists()
    assert np.abs(right - before).max() > 0.05 and np.abs(right - without_prompt).max() > 1e-3
    try:
        done = build(folder, folder, "-", name, "v1", 4, "--task", "feature-extraction")
        assert done.returncode == 0, done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
        inputs = {"text_input": [[text] for text in TEXTS]}
        np.testing.assert_allclose(ask("grpc", address, name, inputs)["embedding"], right, atol=1e-5)
        chosen = ask("http", address, name, inputs, {"prompt_name": "document"})["embedding"]
        np.testing.assert_allclose(chosen, without_prompt, atol=1e-5)
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)
