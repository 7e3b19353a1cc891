"""Models and tokenizers with missing, damaged or unsupported files, all refused without loading."""

import json
import pickle
import zipfile

import pytest

from tests.small_files import write_safetensors

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def truncate(case, name, keep):
    content = case.file(name).read_bytes()
    case.write(name, content[: keep if keep >= 0 else len(content) + keep])


def link_to_nowhere(case, name):
    case.remove(name)
    case.file(name).symlink_to("../blobs/gone")


def folder_instead(case, name):
    case.remove(name)
    case.file(name).mkdir()


def only_pickled(case):
    case.remove("model.safetensors")
    with zipfile.ZipFile(case.file("pytorch_model.bin"), "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))


def instead_of_weights(case, name):
    case.remove("model.safetensors")
    case.write(name, b"content")


def without_shard(case):
    case.file(case.shard()[1]).unlink()


def cut_shard(case):
    truncate(case, case.shard()[1], -10)


def shard_without_index(case):
    case.shard()
    case.remove("model.safetensors.index.json")


def index_of_nothing(case):
    case.shard()
    case.write("model.safetensors.index.json", "{}")


def half_an_index(case):
    case.shard()
    truncate(case, "model.safetensors.index.json", 40)


def index_that_climbs(case):
    case.shard()
    case.write("model.safetensors.index.json", json.dumps({"weight_map": {"classifier.weight": "../other/x"}}))


def shards_of_two_models(case):
    first, second = case.shard()
    case.write(first, case.file(second).read_bytes())


def another_head(case):
    shapes = case.shapes()
    write_safetensors(
        case.file("model.safetensors"), {**shapes, "classifier.weight": (2, shapes["classifier.weight"][1])}
    )


def contradicting_header(case):
    header, content = case.header()
    header[next(name for name in header if name != "__metadata__")]["shape"] = [1, 1]
    case.write_weights(header, content)


def with_more_bytes(case):
    case.write("model.safetensors", case.file("model.safetensors").read_bytes() + b"more")


def adapter(case):
    case.remove("config.json", "model.safetensors")
    case.write("adapter_config.json", "{}")
    case.write("adapter_model.safetensors", b"content")


# what happens to the model, exit code, words
MODELS = {
    "no config": (lambda case: case.remove("config.json"), ["has no config.json", "save_pretrained()"]),
    "an empty config": (lambda case: case.write("config.json", ""), ["config.json", "not valid JSON"]),
    "half a config": (lambda case: truncate(case, "config.json", 50), ["not valid JSON", "save the model"]),
    "a config of bytes": (lambda case: case.write("config.json", b"\xff\xfe"), ["config.json", "not UTF-8 (byte 0)"]),
    "a config that is a list": (lambda case: case.write("config.json", "[]"), ["has no model_type"]),
    "a config of no model": (lambda case: case.edit("config.json", model_type=None), ["has no model_type"]),
    "a config that is a folder": (lambda case: folder_instead(case, "config.json"), ["config.json", "cannot be read"]),
    "a config that leads nowhere": (lambda case: link_to_nowhere(case, "config.json"), ["is a link to", "gone"]),
    "a web page as config": (lambda case: case.write("config.json", "<html>"), ["not valid JSON"]),
    "another problem": (lambda case: case.edit("config.json", problem_type="ranking"), ["'ranking'", "regression"]),
    "a problem that is a list": (lambda case: case.edit("config.json", problem_type=["regression"]), ["problem_type"]),
    "labels without number": (lambda case: case.edit("config.json", id2label=None, num_labels=0), ["num_labels 0"]),
    "code of its own": (
        lambda case: case.edit("config.json", auto_map={"AutoModel": "modeling.Model"}),
        ["auto_map", "no custom code", "trust_remote_code"],
    ),
    "quantised": (lambda case: case.edit("config.json", quantization_config={"quant_method": "awq"}), ["(awq)"]),
    "an adapter of no type": (adapter, ["adapter_config.json", "peft_type None", "LORA"]),
    "no weights": (lambda case: case.remove("model.safetensors"), ["has no weights", "--allow-pickle"]),
    "empty weights": (lambda case: case.write("model.safetensors", ""), ["model.safetensors", "0 bytes"]),
    "half the weights": (lambda case: truncate(case, "model.safetensors", -1000), ["model.safetensors", "bytes"]),
    "half the header": (lambda case: truncate(case, "model.safetensors", 100), ["model.safetensors", "100 bytes"]),
    "a header that contradicts itself": (contradicting_header, ["model.safetensors", "bytes"]),
    "weights with more": (with_more_bytes, ["model.safetensors", "bytes"]),
    "a pointer of Git LFS": (lambda case: case.write("model.safetensors", LFS), ["Git LFS pointer", "git lfs pull"]),
    "a web page as weights": (
        lambda case: case.write("model.safetensors", "<!doctype html>"),
        ["model.safetensors", "15 bytes"],
    ),
    "zeros as weights": (
        lambda case: case.write("model.safetensors", bytes(1000)),
        ["model.safetensors", "1000 bytes"],
    ),
    "a pickle by that name": (
        lambda case: case.write("model.safetensors", b"PK\3\4" + bytes(99)),
        ["model.safetensors", "103 bytes"],
    ),
    "a header of no tensors": (lambda case: case.write_weights({}, b""), ["model.safetensors", "no tensor"]),
    "a header of nonsense": (lambda case: case.write_weights({"a": [1]}, b""), ["model.safetensors", "bytes"]),
    "weights that lead nowhere": (lambda case: link_to_nowhere(case, "model.safetensors"), ["is a link to '../blobs"]),
    "weights that are a folder": (lambda case: folder_instead(case, "model.safetensors"), ["cannot be read"]),
    "pickled weights": (only_pickled, ["pickle (pytorch_model.bin)", "run code", "--allow-pickle"]),
    "a TensorFlow model": (lambda case: instead_of_weights(case, "tf_model.h5"), ["tf_model.h5", "from_tf=True"]),
    "a Flax model": (lambda case: instead_of_weights(case, "flax_model.msgpack"), ["from_flax=True"]),
    "a GGUF file": (lambda case: instead_of_weights(case, "model-q4.gguf"), ["GGUF"]),
    "an ONNX graph": (lambda case: instead_of_weights(case, "model.onnx"), ["ONNX graph", "PyTorch model"]),
    "weights by another name": (lambda case: instead_of_weights(case, "best.safetensors"), ["best.safetensors"]),
    "a shard missing": (without_shard, ["model-00002-of-00002.safetensors", "is missing", "copy it"]),
    "a shard cut short": (cut_shard, ["model-00002-of-00002.safetensors", "bytes"]),
    "shards without index": (shard_without_index, ["a shard without model.safetensors.index.json"]),
    "an index of nothing": (index_of_nothing, ["no weight_map"]),
    "half an index": (half_an_index, ["model.safetensors.index.json", "not valid JSON"]),
    "an index that climbs": (index_that_climbs, ["'../other/x'", "../other/x"]),
    "shards of two models": (shards_of_two_models, ["lacks the tensor", "different models"]),
    "no head": (
        lambda case: case.keep_tensors(lambda name: not name.startswith("classifier")),
        ["no classification head", "'classifier'", "not its base"],
    ),
    "a head of another size": (another_head, ["has 2 outputs (classifier.weight)", "has 3"]),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_bad_model(case, damaged, refused):
    damage, words = MODELS[case]
    damage(damaged)
    refused(damaged.argv(labels=damaged.labels(["a", "b", "c"])), 3, words)


def slow_only(case, name):
    case.remove("tokenizer.json")
    case.edit("tokenizer_config.json", tokenizer_class=name)
    case.write("vocab.txt", "[PAD]\n[UNK]\na\n")


def slow_with(case, name, content):
    case.remove("tokenizer.json")
    case.file("vocab.txt").unlink(missing_ok=True)
    case.write(name, content)


def no_pad(case, **changes):
    case.edit("tokenizer_config.json", **changes)
    case.edit("special_tokens_map.json", pad_token=None)


def no_tokenizer(case):
    for name in ("tokenizer.json", "vocab.txt"):
        case.file(name).unlink(missing_ok=True)


def larger_vocabulary(case):
    content = json.loads(case.file("tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["vocab"]["one more"] = 5000
    case.write("tokenizer.json", json.dumps(content))


TOKENIZERS = {
    "no tokenizer": (no_tokenizer, ["has no tokenizer", "tokenizer.json", "save_pretrained()"]),
    "half a tokenizer": (lambda case: truncate(case, "tokenizer.json", 200), ["tokenizer.json", "not valid JSON"]),
    "an empty tokenizer": (lambda case: case.write("tokenizer.json", ""), ["tokenizer.json", "not valid JSON"]),
    "something else": (lambda case: case.write("tokenizer.json", '{"a": 1}'), ["is not a tokenizer file"]),
    "a list": (lambda case: case.write("tokenizer.json", "[]"), ["is not a tokenizer file"]),
    "a pointer of Git LFS": (lambda case: case.write("tokenizer.json", LFS), ["tokenizer.json", "git lfs pull"]),
    "leads nowhere": (lambda case: link_to_nowhere(case, "tokenizer.json"), ["is a link to", "copy the folder"]),
    "half a config": (
        lambda case: truncate(case, "tokenizer_config.json", 30),
        ["tokenizer_config.json", "not valid JSON"],
    ),
    "a config that is a list": (lambda case: case.write("tokenizer_config.json", "[]"), ["JSON object"]),
    "half a map": (lambda case: truncate(case, "special_tokens_map.json", 10), ["special_tokens_map.json"]),
    "code of its own": (
        lambda case: case.edit("tokenizer_config.json", auto_map={"AutoTokenizer": ["tok.Tok", None]}),
        ["auto_map in tokenizer_config.json", "no custom code"],
    ),
    "XLM's": (lambda case: slow_only(case, "XLMTokenizer"), ["XLMTokenizer has no fast form"]),
    "ESM's": (lambda case: slow_only(case, "EsmTokenizer"), ["EsmTokenizer has no fast form", "tokenizer.json only"]),
    "of bytes": (
        lambda case: (no_tokenizer(case), case.edit("tokenizer_config.json", tokenizer_class="ByT5Tokenizer")),
        ["ByT5Tokenizer has no fast form"],
    ),
    "no pad token": (
        lambda case: no_pad(case, tokenizer_class="GPT2TokenizerFast", pad_token=None),
        ["(GPT2TokenizerFast) has no pad token", "MAX_BATCH_SIZE 1"],
    ),
    "a pad token of null": (lambda case: no_pad(case, pad_token=...), ["has no pad token", "tokenizer.pad_token"]),
    "more than the model knows": (larger_vocabulary, ["ids up to 5000", "has only", "trained with"]),
    "more words than the model knows": (
        lambda case: slow_with(case, "vocab.txt", "\n".join(map(str, range(9000)))),
        ["ids up to 8999", "the model has only"],
    ),
    "more pairs than the model knows": (
        lambda case: slow_with(case, "vocab.json", json.dumps({"a": 0, "b": 7000})),
        ["ids up to 7000"],
    ),
    "added more than the model knows": (
        lambda case: (slow_with(case, "vocab.txt", "[PAD]\na\n"), case.write("added_tokens.json", '{"x": 6000}')),
        ["ids up to 6000"],
    ),
    "an empty vocabulary": (lambda case: slow_with(case, "vocab.txt", "\n"), ["vocab.txt", "is empty"]),
    "a vocabulary in Latin-1": (lambda case: slow_with(case, "vocab.txt", b"caf\xe9\n"), ["vocab.txt", "not UTF-8"]),
    "half a vocabulary": (lambda case: slow_with(case, "vocab.json", '{"a": 0,'), ["vocab.json", "not valid JSON"]),
}


@pytest.mark.parametrize("case", TOKENIZERS)
def test_a_bad_tokenizer(case, damaged, refused):
    damage, words = TOKENIZERS[case]
    damage(damaged)
    refused(damaged.argv(), 3, words)


@pytest.mark.parametrize(
    ("model_type", "words"),
    [
        ("marian", ["model type 'marian'", "it supports albert"]),
        ("whisper", ["model type 'whisper'"]),
        ("my-own", ["cannot convert model type 'my-own'", "distilbert"]),
        ("layoutlm", ["reads more than text", "bbox"]),
        ("", ["model type ''"]),
    ],
)
def test_a_model_type_that_cannot_be_served(model_type, words, damaged, refused):
    damaged.edit("config.json", model_type=model_type)
    refused(damaged.argv(), 4, words)


@pytest.mark.parametrize("place", [0, 1], ids=["model", "tokenizer"])
def test_a_file_in_place_of_a_folder(place, damaged, refused):
    argv = damaged.argv()
    argv[place] = damaged.file("tokenizer.json")
    refused(argv, 3, [("MODEL", "TOKENIZER")[place], "is not a folder", "save_pretrained()"])


def test_an_empty_folder(damaged, refused):
    (damaged.folder / "empty").mkdir()
    refused([damaged.folder / "empty", damaged.model, "-"], 3, ["MODEL", "has no config.json"])


def test_weights_are_not_read_for_a_refusal(damaged, refused, monkeypatch):
    """A revision is a digest of all weights, which takes minutes for a large model."""
    monkeypatch.setattr("utils.sources.storage.local.resolve", lambda _: pytest.fail("the weights were read"))
    refused(damaged.argv(labels=damaged.labels(["a"])), 3, ["1 labels"])
    damaged.edit("tokenizer_config.json", auto_map={"AutoTokenizer": "x"})
    refused(damaged.argv(), 3, ["auto_map"])


def test_a_much_smaller_tokenizer_is_a_warning(damaged, capfd):
    from utils.sources.tokenizer_files import TokenizerFiles, check_fit, warn_of_spare_ids

    files = TokenizerFiles(folder=damaged.model, vocabulary=28996)
    check_fit(files, 30522)
    warn_of_spare_ids(files, 30522)
    assert capfd.readouterr().err == ""
    warn_of_spare_ids(files, 50265)
    assert "the model has 50265 tokens, the tokenizer 28996" in capfd.readouterr().err
