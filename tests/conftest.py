"""What several kinds of tests share: pipelines without a model behind them, and the smallest real model."""

import json
import sys
from pathlib import Path

import pytest

from utils.layouts import LAYOUTS
from utils.pipeline import Ingredients, OnnxModel
from utils.tasks import TASKS
from utils.tensors import TensorSpec

TINY_LABELS = ("a", "b", "c")
SETTINGS = {
    "max_length": 128,
    "truncation_side": "right",
    "padding": {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"},
}


@pytest.fixture
def make_pipeline(tmp_path):
    """`make_pipeline(**changes)`: a planned repository; its graph and tokenizer are small files of any content."""

    def make(
        *,
        folder: Path = tmp_path / "tree",
        inputs=("input_ids", "attention_mask", "token_type_ids"),
        dtype="INT64",
        labels=TINY_LABELS,
        model_name="ensemble_model",
        max_batch_size=4,
        instance_kind="KIND_CPU",
        score_function="softmax",
        top_k=1,
        external_files=(),
    ):
        artifacts = folder / "artifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
        for name in ("model.onnx", "tokenizer.json", *external_files):
            (artifacts / name).write_bytes(f"stands for {name}".encode())
        graph = OnnxModel(
            path=artifacts / "model.onnx",
            inputs=tuple(TensorSpec(name=name, dtype=dtype, dims=(-1,)) for name in inputs),
            outputs=(TensorSpec(name="logits", dtype="FP32", dims=(len(labels),)),),
            external_files=tuple(external_files),
        )
        ingredients = Ingredients(
            graph=graph,
            graph_instance_kind=instance_kind,
            tokenizer_file=artifacts / "tokenizer.json",
            tokenization=SETTINGS,
            labels=tuple(labels),
            score_function=score_function,
            top_k=top_k,
        )
        return LAYOUTS["ensemble"](TASKS["text-classification"], model_name, max_batch_size, ingredients)

    return make


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A folder as save_pretrained() writes it: a random BERT of two layers, labels a, b and c, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny bert")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_trained_tokenizer(),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        id2label=dict(enumerate(TINY_LABELS)),
        label2id={label: index for index, label in enumerate(TINY_LABELS)},
        # The usual 0.02 gives every text the same answer; answers must differ for a test to tell them apart.
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        BertForSequenceClassification(config).save_pretrained(folder, safe_serialization=True)
    (folder / "id2label.json").write_text(json.dumps({str(index): label for index, label in enumerate(TINY_LABELS)}))
    return folder


def _trained_tokenizer():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    sentences = ["the quick brown fox jumps over the lazy dog", "I would like my money back, please", "помогите мне"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


@pytest.fixture
def start_child(tmp_path):
    """`start_child(code, *arguments)`: a Python child that can import utils; whatever still lives at the end is killed.

    Its stdin, stdout and stderr are pipes, in text mode.
    """
    import os
    import subprocess

    root = Path(__file__).resolve().parent.parent
    children = []

    def start(code, *arguments):
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(root), "ORT_DISABLE_TELEMETRY": "1"},
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()
