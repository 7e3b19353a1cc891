"""The component against transformers' own pipeline: same texts, same random logits, every strategy and tokenizer."""

import json

import numpy as np
import pytest

from tests import tiny_models
from utils.repository.corpus import TOKENIZER_TEXTS
from utils.repository.served_code import load_shared

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC", "B-O", "X-PER", 'q"{{ x }}')
TEXTS = (
    *TOKENIZER_TEXTS,
    "It is O'Hare's: New-York (NY)…  next   word\tand\nline",
    "e\u0301clair nai\u0308ve ﬁne 👩‍👩‍👧 ½x",
    "fox  [SEP] [UNK] <unk> dog ☃ ☃☃ lazy☃dog",
)
AGGREGATIONS = ("none", "simple", "first", "average", "max")
LIMIT = 64
MAKERS = {
    "wordpiece": (tiny_models.wordpiece, ("[UNK]", "[PAD]"), "right"),
    "byte-level": (tiny_models.byte_level_bpe, (None, "<pad>"), "right"),
    "unigram": (tiny_models.unigram, ("<unk>", "<pad>"), "right"),
    "truncated on the left": (tiny_models.wordpiece, ("[UNK]", "[PAD]"), "left"),
    "unigram on the left": (tiny_models.unigram, ("<unk>", "<pad>"), "left"),
}


@pytest.fixture(scope="module")
def pipelines():
    """{maker: transformers' pipeline with a model that is never called}."""
    from tokenizers import decoders
    from transformers import (
        BertConfig,
        BertForTokenClassification,
        PreTrainedTokenizerFast,
        TokenClassificationPipeline,
    )

    sizes = {**tiny_models.SIZES, "num_hidden_layers": 1}
    model = BertForTokenClassification(BertConfig(vocab_size=400, id2label=dict(enumerate(LABELS)), **sizes))
    own_decoders = {"wordpiece": decoders.WordPiece(), "byte-level": decoders.ByteLevel()}  # the others have none
    made = {}
    for name, (make, (unknown, pad), side) in MAKERS.items():
        backend = make()
        if name in own_decoders:
            backend.decoder = own_decoders[name]
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend, unk_token=unknown, pad_token=pad, truncation_side=side, model_max_length=LIMIT
        )
        made[name] = TokenClassificationPipeline(model=model, tokenizer=tokenizer, device=-1)
    return made


@pytest.fixture
def load(load_component):
    def make(tokenizer, aggregation, side="right", labels=LABELS):
        padding = {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"}
        tokenization = {"max_length": LIMIT, "truncation_side": side, "padding": padding}
        settings = {"aggregation": aggregation, "tokenization": {**tokenization, "unk_id": tokenizer.unk_token_id}}
        files = {
            "settings.json": settings,
            "id2label.json": {str(index): label for index, label in enumerate(labels)},
            "tokenizer.json": tokenizer.backend_tokenizer.to_str(),
        }
        inputs = {"logits": "TYPE_FP32", "text_input": "TYPE_STRING"}
        return load_component("token_classification", inputs, {"entities": "TYPE_STRING"}, files)

    return make


def rows_of(texts):
    return np.array([[text.encode("utf-8")] for text in texts], dtype=object)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("name", MAKERS)
def test_the_entities_equal_the_pipeline_s(name, aggregation, pipelines, load, request_of):
    import torch

    pipeline = pipelines[name]
    generator = torch.Generator().manual_seed(11)
    rows, expected = [], []
    for text in TEXTS:
        if not pipeline.tokenizer(text)["input_ids"]:
            continue  # refused by the step before
        (tokens,) = pipeline.preprocess(text, is_split_into_words=False)
        logits = 3 * torch.randn(1, tokens["input_ids"].shape[1], len(LABELS), generator=generator)
        names = ("input_ids", "offset_mapping", "special_tokens_mask", "sentence")
        outputs = {"logits": logits, "is_last": True, **{each: tokens[each] for each in names}}
        expected.append(pipeline.postprocess([outputs], aggregation_strategy=strategy(aggregation)))
        rows.append((text, logits[0].numpy()))
    padded = np.full((len(rows), LIMIT + 3, len(LABELS)), np.nan, dtype=np.float32)  # padding has no part in an answer
    for row, (_, logits) in enumerate(rows):
        padded[row, : len(logits)] = logits
    model = load(pipeline.tokenizer, aggregation, MAKERS[name][2])
    (response,) = model.execute([request_of(logits=padded, text_input=rows_of([text for text, _ in rows]))])
    answers = [json.loads(each) for each in response.outputs["entities"].reshape(-1)]
    assert response.outputs["entities"].shape == (len(rows), 1)
    for (text, _), answer, right in zip(rows, answers, expected, strict=True):
        assert without_scores(answer) == without_scores(right), text[:60]
        np.testing.assert_allclose(scores(answer), scores(right), atol=1e-6)
    assert sum(map(len, answers)) > 100


def strategy(name):
    from transformers.pipelines.token_classification import AggregationStrategy

    return AggregationStrategy[name.upper()]


def without_scores(entities):
    """The keys in order, and all values except the scores."""
    return [[(key, None if key == "score" else value) for key, value in each.items()] for each in entities]


def scores(entities):
    return [float(each["score"]) for each in entities]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_an_error_and_no_entity(value, load, pipelines, request_of):
    model = load(pipelines["wordpiece"].tokenizer, "simple")
    sound = np.zeros((1, 4, len(LABELS)), dtype=np.float32)
    broken = sound.copy()
    broken[0, 1, 2] = value
    text = rows_of(["fox dog"])
    good, bad = model.execute([request_of(logits=each, text_input=text) for each in (sound, broken)])
    assert good.error is None
    assert (bad.error.code(), bad.outputs) == ("INTERNAL", {})
    assert "not finite" in bad.error.message()


def test_invalid_utf_8_is_an_invalid_input(load, pipelines, request_of):
    model = load(pipelines["wordpiece"].tokenizer, "simple")
    text = np.array([[b"\xff"]], dtype=object)
    (response,) = model.execute([request_of(logits=np.zeros((1, 4, 9), np.float32), text_input=text)])
    assert response.error.code() == "INVALID_ARG"
    assert "input 'text_input', row 0" in response.error.message()


@pytest.mark.parametrize("side", ["right", "left"])
def test_places_in_a_long_text_refer_to_the_whole_text(side):
    served = load_shared("tokenization")
    text = "".join(f"fox {number} dog " for number in range(4000))
    tokenizer = tiny_models.wordpiece()
    tokenizer.enable_truncation(LIMIT, direction=side)
    whole = tokenizer.encode(text)
    encoding, spans = served.locate(tokenizer, text)
    assert encoding.ids == whole.ids
    assert spans[1:-1] == whole.offsets[1:-1], "all but those of the special tokens, which stand nowhere"
    assert len(served.bounded(tokenizer, text)) < len(text), "only a part is tokenized"
