"""Each file of a model, a tokenizer and a label map, damaged: metadata, or exit 3 (4 for the model type)."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import valid
from tests.fuzz.edge import outcome, tree
from tests.fuzz.mutations import around, json_files, or_kinds, text_files
from tests.fuzz.profile import examples
from utils.sources.fetch import fetch_metadata, fetch_model
from utils.sources.labels import read_labels
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import StorageRef

REQUIREMENTS = st.builds(
    SourceRequirements,
    max_batch_size=st.sampled_from([1, 8]),
    max_length=st.sampled_from([None, None, 64, 1_000_000]),
    allow_pickle=st.booleans(),
    allow_duplicate_labels=st.booleans(),
    allow_placeholder_labels=st.booleans(),
)
LABEL_FORMS = [valid.LABELS, list(valid.LABELS.values()), valid.CONFIG["label2id"], {"id2label": valid.LABELS}]


def metadata(model, labels, requirements):
    reference = StorageRef(scheme="local", locator=str(model))
    named = None if labels is None else StorageRef(scheme="local", locator=str(labels))
    spec = Sources(model=reference, tokenizer=reference, labels=named, fetch_timeout=1.0, requirements=requirements)
    work = model.parent / "work"
    found = fetch_metadata(spec, work)
    fetch_model(spec, found, work)
    return found


def judged(model, requirements, labels=None):
    """Returns the outcome; checks that nothing was written to the model or beside it."""
    before = tree(model.parent)
    seen = outcome(lambda: metadata(model, labels, requirements), codes={3, 4})
    assert tree(model.parent) == before
    if seen.code == 0:
        texts = seen.result.labels.texts
        assert len(texts) == seen.result.config.head_size
        assert all(text and text.encode() for text in texts)
    return seen


def test_valid_files_are_accepted(folder):
    assert judged(folder, SourceRequirements()).code == 0


@pytest.mark.parametrize("name", valid.JSON_FILES)
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "slow"])
def test_a_json_file(name, fast, folder):
    if not fast and name != "tokenizer.json":
        (folder / "tokenizer.json").unlink()

    @given(content=or_kinds(json_files(valid.JSON_FILES[name])), requirements=REQUIREMENTS)
    @examples(30)
    def check(content, requirements):
        around(folder / name, content, lambda: judged(folder, requirements))

    check()


@pytest.mark.parametrize("name", ["vocab.txt", "vocab.json", "added_tokens.json"])
def test_a_vocabulary(name, folder):
    (folder / "tokenizer.json").unlink()
    damaged_content = text_files(valid.VOCABULARY) if name == "vocab.txt" else json_files(valid.VOCAB_JSON)

    @given(content=or_kinds(damaged_content), requirements=REQUIREMENTS)
    @examples(30)
    def check(content, requirements):
        around(folder / name, content, lambda: judged(folder, requirements))

    check()


@given(content=or_kinds(st.sampled_from(LABEL_FORMS).flatmap(json_files)), requirements=REQUIREMENTS)
@examples(75)
def test_a_label_file(content, requirements, folder):
    file = folder.parent / "labels.json"

    def judge():
        alone = outcome(lambda: read_labels(file, requirements=requirements), codes={3})
        seen = judged(folder, requirements, file)
        assert seen.code == 3 or alone.code == 0
        return seen

    around(file, content, judge)


def header_of(file):
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def weights(header, rest):
    """Damaged weights: the header's structure, its length, the data after it, or random bytes."""
    lengths = st.just(None) | st.just(None) | st.sampled_from([0, 1, 2**31, 2**32, 2**63, 2**64 - 1, 99_999_999])
    ends = st.sampled_from([rest, rest, rest, b"", rest[:-1], rest + b"\0"])

    def joined(text, length, end):
        return (len(text) if length is None else length).to_bytes(8, "little") + text + end

    return st.builds(joined, json_files(header), lengths, ends) | st.binary(max_size=100)


def test_a_safetensors_header(folder):
    file = folder / "model.safetensors"
    header, rest = header_of(file)

    @given(content=or_kinds(weights(header, rest)), requirements=REQUIREMENTS)
    @examples(75)
    def check(content, requirements):
        around(file, content, lambda: judged(folder, requirements))

    check()


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
def test_an_index(name, folder):
    shard = (folder / "model.safetensors").rename(folder / "shard.safetensors")
    index = {**valid.INDEX, "weight_map": dict.fromkeys(valid.SHAPES, shard.name)}

    @given(content=or_kinds(json_files(index)), requirements=REQUIREMENTS)
    @examples(30)
    def check(content, requirements):
        around(folder / name, content, lambda: judged(folder, requirements))

    check()


@given(content=or_kinds(st.binary(max_size=100)), requirements=REQUIREMENTS)
@examples(50)
def test_a_pickle(content, requirements, folder):
    (folder / "model.safetensors").unlink(missing_ok=True)
    around(folder / "pytorch_model.bin", content, lambda: judged(folder, requirements))


@pytest.mark.parametrize("depth", range(900, 1001, 4))
def test_deeply_nested_json(depth, folder):
    """Reading it uses the whole stack; quoting it in a message must not need more."""
    labels = folder.parent / "labels.json"
    labels.write_text(json.dumps(["a", "b"])[:-1] + ", " + "[" * depth + "]" * depth + "]")
    assert judged(folder, SourceRequirements(), labels).code == 3
    config = {**valid.CONFIG, "problem_type": "<deep>"}
    (folder / "config.json").write_text(json.dumps(config).replace('"<deep>"', "[" * depth + "]" * depth))
    assert judged(folder, SourceRequirements()).code == 3


def test_many_labels_are_read_in_time(folder):
    file = folder.parent / "labels.json"
    file.write_text(json.dumps([*(f"label {number}" for number in range(300_000)), "twice", "twice"]))
    assert "are both 'twice'" in judged(folder, SourceRequirements(), file).error


@pytest.mark.parametrize("count", [10**9, 10**18, 10**4000, math.inf])
def test_a_very_large_number_of_labels(count, folder):
    config = {name: value for name, value in valid.CONFIG.items() if name not in ("id2label", "label2id")}
    text = json.dumps({**config, "num_labels": "<count>"}).replace('"<count>"', f"{count}".replace("inf", "Infinity"))
    (folder / "config.json").write_text(text)
    assert judged(folder, SourceRequirements(allow_placeholder_labels=True)).code == 3
