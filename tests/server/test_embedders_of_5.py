"""Models as Qwen3-Embedding, EmbeddingGemma and Qwen3-Reranker are published, small: served, equal to their library.

Only the exporter dynamo converts the first two. sentence-transformers 6 answers from the folders alone, to all texts at
once: it pads them on the side that the tokenizer names.
"""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
import tritonclient.http

from tests import tiny_models
from tests.families.build import make_config
from tests.families.written_by_5 import tokenizer
from tests.in_version_5 import printed_by
from tests.sentence_folders import NORMALIZE, dense, embedder, pooling
from tests.server.task_requests import build
from tests.server.test_reference_answers import PAIRS
from utils.host import environment
from utils.host.build_tree import BUILD
from utils.host.environments import SENTENCES6

TEXTS = ["I would like MY money back", "помогите мне", "fox", "  spaces  ", "rain and sun " * 20]
IDENTITY = "torch.nn.modules.linear.Identity"
USERS_CODE = """
import json, sys
sys.path.append(sys.argv[1])
import sentence_transformers
kind, folder, texts, choices = json.loads(sys.argv[2])
model = getattr(sentence_transformers, kind)(folder, device="cpu")
answer = model.encode if kind == "SentenceTransformer" else model.predict
print(json.dumps([answer(texts, **choice).tolist() for choice in choices]))
"""
NAMED = [{}, {"prompt_name": "query"}, {"prompt_name": "document"}]


def qwen3(folder):
    """As transformers 4.51 saved it: a causal model, its last token pooled, padded on the left, one prompt."""
    words = tokenizer()
    config = make_config("qwen3", words, rope_theta=1e6)
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    embedder(
        tiny_models.save(model, words, folder), [pooling("lasttoken"), NORMALIZE], prompts("Instruct: rain\nQuery:")
    )
    return padded_on_the_left(folder)


def gemma3(folder):
    """Every token attends to every other within a window; two Dense modules follow the mean."""
    changes = json.dumps({"use_bidirectional_attention": True, "sliding_window": 16})
    printed_by("tests.families.by_dynamo", "--write", folder, "AutoModel", "gemma3_text", changes)
    sizes = dense(32, 64, IDENTITY, bias=False), dense(64, 32, IDENTITY, bias=False)
    return embedder(folder, [pooling("mean"), *sizes, NORMALIZE], prompts("task: search result | query: "))


def reranker(folder):
    """The form with a classification head, one score, of a pair that the tokenizer only joins."""
    changes = json.dumps({"id2label": {"0": "score"}, "label2id": {"score": 0}})
    class_name = "AutoModelForSequenceClassification"
    printed_by("tests.families.by_dynamo", "--write", folder, class_name, "qwen3", changes)
    return padded_on_the_left(folder)


def prompts(query):
    return {"prompts": {"query": query, "document": "text: "}, "default_prompt_name": None}


def padded_on_the_left(folder):
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "padding_side": "left"}))
    return folder


CASES = {
    "qwen3-embedding": (qwen3, "SentenceTransformer", TEXTS, NAMED, ("--task", "feature-extraction")),
    "embedding-gemma": (gemma3, "SentenceTransformer", TEXTS, NAMED, ("--task", "feature-extraction")),
    "qwen3-reranker": (reranker, "CrossEncoder", PAIRS, [{}], ("--task", "text-ranking", "--exporter", "dynamo")),
}


def written(case, folder):
    """The folder, and the library's answers for each choice."""
    make, kind, texts, choices, _ = CASES[case]
    request = json.dumps([kind, str(make(folder)), texts, choices])
    packages = str(Path(torch.__file__).parent.parent)
    command = [str(environment.ensure(SENTENCES6)), "-c", USERS_CODE, packages, request]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder, np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.long("qwen3-embedding")
@pytest.mark.parametrize("case", CASES)
def test_the_served_answers_are_those_of_the_library(case, tmp_path, serve_repository):
    folder, answers = written(case, tmp_path / "model")
    _, _, texts, choices, options = CASES[case]
    name = f"test-of-5-{case}"
    try:
        done = build(folder, folder, "-", name, "v1", len(texts), "--no-verify", *options)
        assert done.returncode == 0, done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
        assert np.ptp(answers[0], axis=0).max() > 1e-2
        for choice, right in zip(choices, answers, strict=True):
            served = ask(address.http, name, texts, choice).reshape(right.shape)
            np.testing.assert_allclose(served, right, atol=1e-5, err_msg=str(choice))
            if right.ndim > 1:
                np.testing.assert_allclose((served * right).sum(axis=1), 1, atol=1e-5)
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)


def ask(address, name, texts, parameters):
    """The first output for a batch of texts or pairs."""
    columns = [[text] if isinstance(text, str) else text for text in texts]
    tensors = []
    for place, input_name in enumerate(("text_input", "text_pair")[: len(columns[0])]):
        tensors.append(tritonclient.http.InferInput(input_name, [len(texts), 1], "BYTES"))
        tensors[-1].set_data_from_numpy(np.array([[row[place].encode()] for row in columns], dtype=object))
    with tritonclient.http.InferenceServerClient(address) as server:
        result = server.infer(name, tensors, parameters=parameters)
        return result.as_numpy(result.get_response()["outputs"][0]["name"])
