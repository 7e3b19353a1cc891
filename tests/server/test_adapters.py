"""Adapters, from one command to the answers of a real Triton, equal to those of PEFT's own unmerged model."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
import torch
import transformers

from tests import tiny_adapters, tiny_models
from tests.loopback.hub import HubServer
from tests.server.page_models import embedder
from tests.server.task_requests import ask, build
from utils import ROOT
from utils.host.build_tree import BUILD

# PEFT's warnings have classes that the process that collects pytest's reports cannot import.
pytestmark = pytest.mark.filterwarnings("ignore")
PAGE = (ROOT / "docs/sources.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```bash\n(.*?)^```", PAGE.partition("## Adapters")[2].partition("\n## ")[0], re.M | re.S)
LABELS = ("sport", "cooking", "weather", "finance")
TEXTS = ["I would like my money back", "помогите мне", "今日は 🦊 jumps", "", "word " * 400]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The user's folder: a base with three labels, and an adapter that was trained for four."""
    place = tmp_path_factory.mktemp("adapters")
    tiny_models.bert(place / "base")
    tiny_adapters.adapter(place / "base", place / "adapter", steps=5, base_settings={"num_labels": len(LABELS)})
    (place / "adapter/id2label.json").write_text(json.dumps(LABELS))
    yield place
    shutil.rmtree(BUILD / "topics", ignore_errors=True)


def run(command, folder, *options):
    """A command of the page, in the user's folder."""
    script, *arguments = shlex.split(command)
    assert script == "./make_triton_image.sh" and arguments[-1] == "--no-image"
    done = build(*arguments[:-1], *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


def logits(model, base):
    """Of each text alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    batches = [tokenizer(text, truncation=True, return_tensors="pt") for text in TEXTS]
    with torch.inference_mode():
        return torch.cat([model(**batch).logits for batch in batches])


@pytest.mark.long("the adapter as MODEL")
@pytest.mark.parametrize("command", COMMANDS, ids=["the adapter as MODEL", "the base as MODEL"])
def test_a_classifier_answers_as_peft_does(command, folder, serve_repository, monkeypatch):
    monkeypatch.chdir(folder)
    run(command, folder, "--top-k", "4", "--no-verify")
    tag = shlex.split(command)[5]
    base = folder / "base"
    right = logits(tiny_adapters.loaded(base, folder / "adapter", num_labels=4), base).softmax(-1).numpy()
    without = transformers.AutoModelForSequenceClassification.from_pretrained(base).eval()
    assert abs(right[:, :3] - logits(without, base).softmax(-1).numpy()).max() > 0.05
    served = ask("http", serve_repository(BUILD / "topics" / tag / "model_repository").address, "topics", {
        "text_input": [[text] for text in TEXTS]
    })  # fmt: skip
    for row, labels, scores in zip(right, served["predicts"], served["scores"], strict=True):
        assert [label.decode() for label in labels] == [LABELS[place] for place in np.argsort(-row)]
        np.testing.assert_allclose(scores, -np.sort(-row), atol=1e-5)


def test_an_unchanged_adapter_is_not_merged_again(folder):
    first = run(COMMANDS[0], folder, "--top-k", "4", "--no-verify")
    again = run(COMMANDS[0], folder, "--top-k", "4", "--no-verify")
    assert "taken from the cache" in again.stderr and "merged" not in again.stderr
    weights = folder / "adapter/adapter_model.safetensors"
    kept = weights.read_bytes()
    tiny_adapters.adapter(folder / "base", folder / "adapter", steps=6, base_settings={"num_labels": len(LABELS)})
    changed = run(COMMANDS[0], folder, "--top-k", "4", "--no-verify")
    weights.write_bytes(kept)
    assert "adapter merged into its base" in changed.stderr
    assert first.stdout == again.stdout == changed.stdout


@pytest.mark.long
def test_an_embedder_from_the_hub_answers_as_peft_does(tmp_path, serve_repository):
    """Base and adapter are repositories; the adapter names a revision. Pooling and normalization are the base's."""
    name, base = "test-adapter-embedder", tmp_path / "base"
    embedder(base)
    tuned = tiny_adapters.adapter(
        base,
        tmp_path / "adapter",
        auto_class="AutoModel",
        task_type="FEATURE_EXTRACTION",
        target_modules=["q_lin", "v_lin"],
        steps=5,
    )
    config = json.loads((tuned / "adapter_config.json").read_text())
    (tuned / "adapter_config.json").write_text(
        json.dumps({**config, "base_model_name_or_path": "user/base", "revision": "v1"})
    )
    with HubServer({"user/base@v1": base, "user/adapter": tuned}) as hub:
        environment = hub.environment(tmp_path / "cache")
        arguments = ("hf:user/adapter", "hf:user/base@v1", "-", name, "v1", 8, "--task", "feature-extraction", "--json")
        done = build(*arguments, env=environment)
        assert done.returncode == 0, done.stderr
        other = build("hf:user/adapter", *arguments[1:], "--adapter", "hf:user/adapter", env=environment)
        commits = {"model": hub.commit("user/adapter"), "base": hub.commit("user/base@v1")}
    assert other.returncode == 3 and "give hf:user/base as MODEL; for a copy of it" in other.stderr
    try:
        _check_records(json.loads(done.stdout), commits)
        tokenizer = transformers.AutoTokenizer.from_pretrained(base)
        model = tiny_adapters.loaded(base, tuned, "AutoModel")
        served = ask("grpc", serve_repository(BUILD / name / "v1/model_repository").address, name, {
            "text_input": [[text] for text in TEXTS]
        })["embedding"]  # fmt: skip
        plain = transformers.AutoModel.from_pretrained(base).eval()
        right, before = ([embedding(each, tokenizer(text, truncation=True, return_tensors="pt")) for text in TEXTS]
                         for each in (model, plain))  # fmt: skip
        np.testing.assert_allclose(served, right, atol=1e-5)
        assert abs(np.array(before) - right).max() > 0.05
    finally:
        shutil.rmtree(BUILD / name)


def embedding(model, tokens):
    with torch.inference_mode():
        return torch.nn.functional.normalize(model(**tokens).last_hidden_state[0].mean(0), dim=0).numpy()


def _check_records(result, commits):
    """Both revisions are in --json, the image's labels, the SBOM and the provenance."""
    assert {name: result["revisions"][name] for name in commits} == commits
    assert (result["model"]["base"], result["model"]["peft_type"]) == ("hf:user/base@v1", "LORA")
    tree = BUILD / result["served_model"]["name"] / "v1"
    labels = json.loads((tree / "context.json").read_text())["oci_labels"]
    assert labels["triton-image-factory.base"] == "hf:user/base@v1"
    assert labels["triton-image-factory.base.revision"] == commits["base"]
    components = {each["bom-ref"]: each for each in json.loads((tree / "sbom.cdx.json").read_text())["components"]}
    assert components["source/base"]["version"] == commits["base"]
    assert components["source/model"]["version"] == commits["model"]
    predicate = json.loads((tree / "provenance.json").read_text())["predicate"]
    sources = {each["name"]: each for each in predicate["buildDefinition"]["resolvedDependencies"]}
    assert sources["base"]["annotations"]["revision"] == commits["base"]
    assert "largest_difference_unmerged" in predicate["runDetails"]["byproducts"][0]["annotations"]
