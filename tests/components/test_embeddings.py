"""Every pooling, chain of modules and prompt: the components' embeddings are those of sentence-transformers' encode.

The tokens come from the text_preprocessing component and their states from the model in PyTorch, in place of the
exported graph; tests/server has that for some of these cases.
"""

import json

import numpy as np
import pytest

from tests import tiny_models
from tests.families import build as families
from tests.sentence_folders import LAYER_NORM, NORMALIZE, TANH, dense, embedder, pooling, write
from utils.convert import reference_model, tokenization
from utils.convert.sentence_weights import write_weights
from utils.host import environment
from utils.host.environments import SENTENCES
from utils.sources.model_config import read_model_config
from utils.tasks import feature_extraction

TEXTS = ["I would like MY money back", "помогите мне", "[SEP] fox [MASK]", "", "word " * 400]
PROMPTS = {"query": "I would like: ", "document": "fox ", "bare": ""}
IDENTITY, GELU = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.GELU"
MODES = [(mode,) for mode in feature_extraction.POOLINGS] + [("cls", "mean"), ("lasttoken", "weightedmean", "max")]
CHAINS = {
    "none": lambda size: [],
    "normalized": lambda size: [NORMALIZE],
    "dense": lambda size: [dense(size, 24), NORMALIZE],
    "without bias": lambda size: [NORMALIZE, dense(size, 16, GELU, bias=False)],
    "two": lambda size: [dense(size, 32, IDENTITY), LAYER_NORM, NORMALIZE, dense(32, 8, TANH)],
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads of torch that wait for one another take far longer than these small models."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """The model's folder, and a function of its token arrays to the states of the tokens."""
    folder = tiny_models.bert(tmp_path_factory.mktemp("embeddings") / "model", positions=48)
    return folder, runner(folder)


def runner(folder):
    model = reference_model.load_model(folder, reference_model.load_config(folder), feature_extraction.TASK)

    def run(arrays):
        import torch

        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return model(**tensors).last_hidden_state.numpy()

    return run


@pytest.fixture
def served(load_component, request_of, states):
    """`served(folder, **parameters)`: the embeddings of `texts` as one ragged batch."""
    loaded = {}

    def make(folder, run=states[1], texts=TEXTS, **parameters):
        if not loaded:
            loaded.update(_components(load_component, folder))
        rows = np.array([[text.encode()] for text in texts], dtype=object)
        (tokens,) = loaded["text_preprocessing"].execute([request_of(text_input=rows, parameters=parameters)])
        assert tokens.error is None
        inputs = {"attention_mask": tokens.outputs["attention_mask"], "last_hidden_state": run(tokens.outputs)}
        (answer,) = loaded["pooling"].execute([request_of(**inputs, parameters=parameters)])
        assert answer.error is None, answer.error.message()
        return answer.outputs["embedding"]

    return make


def _components(load_component, folder):
    settings = feature_extraction.resolve_settings(read_model_config(folder), (), {})
    words = tokenization.load_tokenizer(folder, reference_model.load_config(folder))
    reference_model.prepare_padding(words, 8)
    frozen = tokenization.freeze(words, folder / "frozen", max_length=48)
    frozen = tokenization.with_prompts(frozen, words, settings)
    prompts = {name: frozen.settings[name] for name in ("prompts", "default_prompt")}
    how = {**feature_extraction._how(settings), **prompts}
    weights = {file.name: file.read_bytes() for file in write_weights(folder, settings, folder / "frozen")}
    names = [name for name in words.model_input_names if name != "position_ids"]
    ids = dict.fromkeys(names, "TYPE_INT64")
    files = {"tokenizer.json": frozen.file.read_text(encoding="utf-8"), "settings.json": dict(frozen.settings)}
    states = {"attention_mask": "TYPE_INT64", "last_hidden_state": "TYPE_FP32"}
    return {
        "text_preprocessing": load_component("text_preprocessing", {"text_input": "TYPE_STRING"}, ids, files),
        "pooling": load_component("pooling", states, {"embedding": "TYPE_FP32"}, {"settings.json": how, **weights}),
    }


def of_library(folder):
    environment.open_packages(SENTENCES)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.mark.parametrize("include_prompt", [True, False])
@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("modes", MODES, ids="+".join)
def test_an_embedding_is_that_of_encode(tmp_path, states, served, modes, chain, include_prompt):
    folder = linked(states[0], tmp_path / "model")
    modules = [pooling(*modes, include_prompt=include_prompt), *CHAINS[chain](32 * len(modes))]
    embedder(folder, modules, {"prompts": PROMPTS, "default_prompt_name": "document"})
    library = of_library(folder)
    answers = {name: library.encode(TEXTS, prompt_name=name) for name in (None, *PROMPTS)}
    assert np.abs(answers["query"] - answers["document"]).max() > 1e-3
    for name, right in answers.items():
        found = served(folder, **({"prompt_name": name} if name else {}))
        scale = max(1.0, float(np.abs(right).max()))
        np.testing.assert_allclose(found, right, atol=1e-5 * scale, err_msg=str(name))
        np.testing.assert_allclose(cosine(found, right), 1, atol=1e-5)
    np.testing.assert_array_equal(served(folder), served(folder, prompt_name="document"))


@pytest.mark.parametrize("model_type", ["qwen2", "modernbert"])
@pytest.mark.parametrize("mode", ["lasttoken", "weightedmean"])
def test_a_tokenizer_that_pads_on_the_left_changes_no_embedding(tmp_path, served, model_type, mode):
    """The server pads on the right. Version 5 of the library weighs padding on the left, too, so texts are alone."""
    folder = families.make_model(model_type, tmp_path / "model")
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    write(folder / "tokenizer_config.json", {**config, "padding_side": "left"})
    write(folder / "sentence_bert_config.json", {"max_seq_length": 48})
    embedder(folder, [pooling(mode), NORMALIZE], {"prompts": PROMPTS})
    library, texts = of_library(folder), [text for text in TEXTS if text]
    batches = [texts] if mode == "lasttoken" else [[text] for text in texts]
    right = [library.encode(batch, prompt_name="query") for batch in batches]
    found = served(folder, runner(folder), texts=texts, prompt_name="query")
    np.testing.assert_allclose(found, np.concatenate(right), atol=1e-5)


def linked(source, folder):
    """A folder with the files of `source`."""
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


def cosine(one, other):
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize("name", ["Identity", "Tanh", "Sigmoid", "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU"])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("size", [5, 7])
def test_a_dense_layer_is_that_of_torch(shared, name, residual, size):
    """By torch alone: version 5 of the library has no residual."""
    import torch

    torch.manual_seed(3)
    values, layer = 4 * torch.randn(6, 5), torch.nn.Linear(5, size)
    right = getattr(torch.nn, name)()(layer(values))
    weights = {"d.linear.weight": layer.weight, "d.linear.bias": layer.bias}
    if residual and size != 5:
        weights["d.residual.weight"] = torch.randn(size, 5)
    if residual:
        right = right + (values if size == 5 else values @ weights["d.residual.weight"].T)
    module = {"path": "d", "activation": name, "residual": residual}
    arrays = {key: value.detach().numpy() for key, value in weights.items()}
    found = shared.pooled_embeddings.dense(values.numpy(), module, arrays)
    np.testing.assert_allclose(found, right.detach().numpy(), atol=2e-6)
    assert set(shared.pooled_embeddings.ACTIVATIONS) >= {name}
