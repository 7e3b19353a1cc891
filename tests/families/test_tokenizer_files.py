"""The forms a tokenizer is saved in: vocabulary files alone, and folders as transformers 5 writes them."""

import json

import pytest

from tests.families import build, vocabularies
from tests.families.conversion import convert_folder
from utils.host.errors import SourceError

VOCABULARY_FILES = {"vocab.txt", "vocab.json", "merges.txt"}


def leave_only_vocabulary(folder, model_type, **settings):
    """Removes every tokenizer file but the vocabulary; returns the names of what stays."""
    import transformers

    for file in folder.iterdir():
        if "token" in file.name or file.name.endswith((".model", "vocab.txt", "vocab.json", "merges.txt")):
            file.unlink()
    name = build.fast_class(model_type)
    form, arrangement = build.form_and_arrangement(name)
    vocabulary = getattr(transformers, name).vocab_files_names["vocab_file"]
    written = vocabularies.write(form, folder, arrangement=arrangement, name=vocabulary)
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return sorted(path.rsplit("/", 1)[1] for path in written.values())


@pytest.mark.long("bert-*", "roberta-*", "albert-*", "llama-*")
@pytest.mark.parametrize(
    ("model_type", "files", "settings"),
    [
        ("bert", ["vocab.txt"], {}),
        ("mpnet", ["vocab.txt"], {}),
        ("roberta", ["merges.txt", "vocab.json"], {}),
        ("gpt2", ["merges.txt", "vocab.json"], {"pad_token": "<|endoftext|>"}),
        ("qwen2", ["merges.txt", "vocab.json"], {}),
        ("albert", ["spiece.model"], {}),
        ("camembert", ["sentencepiece.bpe.model"], {}),
        ("deberta-v2", ["spm.model"], {}),
        ("llama", ["tokenizer.model"], {"pad_token": "</s>"}),
        ("xlm-roberta", ["sentencepiece.bpe.model"], {}),
    ],
)
def test_vocabulary_files_alone(tmp_path, model_type, files, settings):
    model = build.make_model(model_type, tmp_path / "model")
    assert leave_only_vocabulary(model, model_type, **settings) == files
    assert not (model / "tokenizer.json").exists()
    convert_folder(model, tmp_path / "out")
    assert (tmp_path / "out/tokenizer.json").exists()


def as_transformers_5(folder, tokenizer_class):
    """What transformers 5.23 leaves: two files, the extra tokens a list, `backend`, no special_tokens_map.json."""
    file = folder / "tokenizer_config.json"
    old = json.loads(file.read_text())
    kept = {
        name: value for name, value in old.items() if name.endswith("_token") and name != "additional_special_tokens"
    }
    new = {
        **kept,
        "backend": "tokenizers",
        "extra_special_tokens": ["<extra>"],
        "model_max_length": 128,
        "tokenizer_class": tokenizer_class,
    }
    for each in folder.iterdir():
        if each.name.startswith(("special_tokens", "added_tokens", "vocab", "merges")):
            each.unlink()
    file.write_text(json.dumps(new))
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"].append(
        {"id": 3, "content": "<extra>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True}
    )  # fmt: skip
    return folder


@pytest.mark.long("gpt2-TokenizersBackend-2")
@pytest.mark.parametrize(
    ("model_type", "tokenizer_class", "inputs"),
    [
        ("bert", "BertTokenizer", 3),
        ("bert", "TokenizersBackend", 3),
        ("gpt2", "GPT2Tokenizer", 2),
        ("gpt2", "TokenizersBackend", 2),
        ("xlm-roberta", "XLMRobertaTokenizer", 2),
        ("llama", "TokenizersBackend", 2),
    ],
)
def test_folders_of_transformers_5(tmp_path, model_type, tokenizer_class, inputs):
    model = as_transformers_5(build.make_model(model_type, tmp_path / "model", vocab_size=600), tokenizer_class)
    conversion = convert_folder(model, tmp_path / "out")
    assert len(conversion.graph.inputs) == inputs
    assert conversion.tokenizer.settings["max_length"] <= 128
    assert "<extra>" in (tmp_path / "out/tokenizer.json").read_text()


def test_a_class_nobody_knows_needs_a_tokenizer_json(tmp_path):
    model = as_transformers_5(build.make_model("bert", tmp_path / "model"), "TokenizersBackend")
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(SourceError, match=r"tokenizer\.json' is not a tokenizer file.*save the tokenizer again"):
        convert_folder(model, tmp_path / "out")
    (model / "tokenizer.json").unlink()
    with pytest.raises(SourceError, match="no tokenizer can be loaded from"):
        convert_folder(model, tmp_path / "out")
