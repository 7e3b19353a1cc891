"""What decoders and their tokenizers do otherwise: padding, type ids that matter, texts without any token."""

import subprocess
import sys

import numpy as np
import pytest

from tests.families import build
from tests.families.conversion import convert_folder, golden_logits, graph_logits, pipeline_logits
from utils import ROOT
from utils.host.errors import ParityError, SourceError
from utils.repository.served_code import load_shared

DECODERS = ["gpt2", "llama", "qwen2", "opt"]


def save_tokenizer(folder, **changes):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(folder)


def assert_as_pipeline(model, conversion):
    assert np.abs(golden_logits(conversion) - pipeline_logits(model, conversion.reference.texts)).max() < 1e-5


@pytest.mark.long("gpt2")
@pytest.mark.parametrize("model_type", DECODERS)
def test_a_tokenizer_that_pads_left(tmp_path, model_type):
    model = build.make_model(model_type, tmp_path / "model")
    save_tokenizer(model, padding_side="left")
    conversion = convert_folder(model, tmp_path / "out")
    assert conversion.tokenizer.settings["padding"]["side"] == "right"
    assert_as_pipeline(model, conversion)


@pytest.mark.long("qwen2")
@pytest.mark.parametrize("model_type", DECODERS)
def test_without_any_pad_token_one_text_at_a_time(tmp_path, model_type):
    model = build.make_model(model_type, tmp_path / "model", pad_token_id=None)
    save_tokenizer(model, pad_token=None)
    with pytest.raises(SourceError, match=r"no pad token.*MAX_BATCH_SIZE 1"):
        convert_folder(model, tmp_path / "out")
    conversion = convert_folder(model, tmp_path / "single", max_batch_size=1)
    assert conversion.tokenizer.settings["padding"] is None
    assert_as_pipeline(model, conversion)


@pytest.mark.long("7")
@pytest.mark.parametrize("pad_token_id", [0, 7])
def test_texts_are_padded_with_the_token_of_the_config(tmp_path, pad_token_id):
    """The tokenizer names another; a decoder finds the last token by the config's, in texts that hold either, too."""
    model = build.make_model("qwen2", tmp_path / "model", pad_token_id=pad_token_id)
    conversion = convert_folder(model, tmp_path / "out")
    assert conversion.tokenizer.settings["padding"]["id"] == pad_token_id
    assert_as_pipeline(model, conversion)


def test_a_config_without_a_pad_id_is_not_given_one_that_changes_answers(tmp_path):
    """A text that ends with the tokenizer's pad token: transformers takes its state, a padded batch would not."""
    model = build.make_model("qwen2", tmp_path / "model", pad_token_id=None)
    with pytest.raises(ParityError, match=r"pad_token_id None.*another answer than from PyTorch.*MAX_BATCH_SIZE 1"):
        convert_folder(model, tmp_path / "out")
    conversion = convert_folder(model, tmp_path / "single", max_batch_size=1)
    assert_as_pipeline(model, conversion)
    token = build.make_tokenizer("qwen2", tmp_path / "files").pad_token
    texts = [f"rain and sun {token}", f"{token} rain {token}{token}"]
    assert np.abs(graph_logits(conversion, texts) - pipeline_logits(model, texts)).max() < 1e-4


def generic_tokenizer(folder, **settings):
    """GPT-2's vocabulary in the generic class, which gives token_type_ids unless it is told not to."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<|endoftext|>", model_max_length=128, **settings
    )
    for file in folder.glob("*token*"):
        file.unlink()
    tokenizer.save_pretrained(folder)


@pytest.mark.long("gpt2")
@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neo", "gptj", "gpt_bigcode"])
def test_type_ids_that_matter_are_served(tmp_path, model_type):
    """GPT-2 adds the embedding of token 0 for each: transformers' pipeline does, so the served model must."""
    model = build.make_model(model_type, tmp_path / "model")
    generic_tokenizer(model)
    conversion = convert_folder(model, tmp_path / "out")
    assert [tensor.name for tensor in conversion.graph.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert_as_pipeline(model, conversion)


def test_type_ids_that_do_not_matter_are_left_out(tmp_path):
    model = build.make_model("gpt2", tmp_path / "model")
    generic_tokenizer(model, model_input_names=["input_ids", "attention_mask"])
    assert len(convert_folder(model, tmp_path / "plain").graph.inputs) == 2
    deberta = build.make_model("deberta", tmp_path / "deberta")
    assert "token_type_ids" in build.make_tokenizer("deberta", tmp_path / "files")("a")
    assert len(convert_folder(deberta, tmp_path / "out").graph.inputs) == 2
    typed = build.make_model("deberta-v2", tmp_path / "typed", type_vocab_size=2)
    assert len(convert_folder(typed, tmp_path / "typed out").graph.inputs) == 3


def test_a_text_without_tokens_is_refused_by_input_and_row(tmp_path):
    conversion = convert_folder(build.make_model("gpt2", tmp_path / "model"), tmp_path / "out")
    assert "" not in conversion.reference.texts
    served = load_shared("tokenization")
    tokenizer = served.load_tokenizer(conversion.tokenizer.file, conversion.tokenizer.settings)
    for texts, row in ([""], 0), (["one", "", "three"], 1):
        with pytest.raises(ValueError, match=rf"input 'text', row {row}: the tokenizer finds no token"):
            served.encode(tokenizer, texts, {"input_ids": "int64"}, "text")


def test_a_type_is_refused_without_importing_torch():
    code = (
        "import sys\nfrom utils.host.errors import ExportError\n"
        "from utils.sources.supported_types import require_supported\n"
        "require_supported('xlm-roberta', 'text-classification')\n"
        "try:\n    require_supported('my-own', 'text-classification')\n"
        "except ExportError as error:\n    print(error)\n"
        "assert not {'torch', 'transformers', 'optimum'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    sentence = "cannot convert model type 'my-own' for text-classification; it supports albert, arcee, bart, bert"
    assert sentence in done.stdout
