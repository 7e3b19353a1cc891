"""Tiny models of real architectures with random weights, and tokenizers trained on a few sentences.

The weights are large enough for different texts to have clearly different logits. The same call always writes the same
files, so that builds in different tests share one conversion (tests/shared_conversions.py).
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "I would like my money back, please.",
    "помогите мне пожалуйста",
    "Ça coûte 12,50 € à l'épicerie",
    "今日はとても良い天気ですね",
] * 8
LABELS = ("negative", "neutral", "positive")
ENTITY_LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")
Family = Callable[..., Path]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def bert(folder: Path, *, positions: int = 128, **config: Any) -> Path:
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    tokenizer = BertTokenizerFast(tokenizer_object=wordpiece(), model_max_length=positions)
    settings = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=positions, **SIZES, **_head(config))
    return save(BertForSequenceClassification(settings), tokenizer, folder)


def distilbert(folder: Path, **config: Any) -> Path:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, DistilBertTokenizerFast

    tokenizer = DistilBertTokenizerFast(tokenizer_object=wordpiece(), model_max_length=128)
    settings = DistilBertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=128,
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=64,
        **_head(config),
    )
    return save(DistilBertForSequenceClassification(settings), tokenizer, folder)


def roberta(folder: Path, **config: Any) -> Path:
    """514 positions for 512 tokens: two are offsets for padding."""
    from transformers import RobertaConfig, RobertaForSequenceClassification, RobertaTokenizerFast

    folder.mkdir(parents=True)
    byte_level_bpe().model.save(str(folder))
    tokenizer = RobertaTokenizerFast(
        vocab_file=str(folder / "vocab.json"), merges_file=str(folder / "merges.txt"), model_max_length=int(1e30)
    )
    return save(RobertaForSequenceClassification(_roberta_like(RobertaConfig, tokenizer, config)), tokenizer, folder)


def xlm_roberta(folder: Path, **config: Any) -> Path:
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForSequenceClassification

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=unigram(), cls_token="<s>", sep_token="</s>", unk_token="<unk>", pad_token="<pad>",
        model_max_length=512,
    )  # fmt: skip
    settings = _roberta_like(XLMRobertaConfig, tokenizer, config)
    return save(XLMRobertaForSequenceClassification(settings), tokenizer, folder)


def deberta(folder: Path, *, version: int = 3, **config: Any) -> Path:
    """Relative attention is exported as If nodes, whose subgraphs read values of the outer graph."""
    from transformers import AutoModelForSequenceClassification, DebertaConfig, DebertaV2Config, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=unigram(), cls_token="<s>", sep_token="</s>", unk_token="<unk>", pad_token="<pad>",
        model_max_length=128,
    )  # fmt: skip
    relative = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False}
    buckets = {"position_buckets": 32, "share_att_key": True, "norm_rel_ebd": "layer_norm"} if version > 1 else {}
    settings = (DebertaV2Config if version > 1 else DebertaConfig)(
        vocab_size=len(tokenizer), max_position_embeddings=128, type_vocab_size=0, pad_token_id=1,
        pooler_hidden_size=32, **relative, **buckets, **SIZES, **_head(config),
    )  # fmt: skip
    return save(AutoModelForSequenceClassification.from_config(settings), tokenizer, folder)


def as_question_answering(folder: Path, family: Family, **config: Any) -> Path:
    """The encoder of `family` (a function of this module) with a question-answering head."""
    from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoTokenizer

    family(folder, labels=("unused", "either"), **config)
    tokenizer, settings = AutoTokenizer.from_pretrained(folder), AutoConfig.from_pretrained(folder)
    return save(AutoModelForQuestionAnswering.from_config(settings), tokenizer, folder)


def as_token_classification(folder: Path, family: Family, labels: Iterable[str] = ENTITY_LABELS) -> Path:
    """The encoder of `family` (a function of this module) with a token-classification head."""
    from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

    family(folder, labels=labels)
    tokenizer, settings = AutoTokenizer.from_pretrained(folder), AutoConfig.from_pretrained(folder)
    return save(AutoModelForTokenClassification.from_config(settings), tokenizer, folder)


def as_masked_language_model(folder: Path, family: Family, **config: Any) -> Path:
    """The encoder of `family` (a function of this module) with a masked-language-model head."""
    from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

    family(folder, **config)
    tokenizer, settings = AutoTokenizer.from_pretrained(folder), AutoConfig.from_pretrained(folder)
    return save(AutoModelForMaskedLM.from_config(settings), tokenizer, folder)


FAMILIES = {"bert": bert, "distilbert": distilbert, "roberta": roberta, "xlm-roberta": xlm_roberta}


def _head(config: dict[str, Any]) -> dict[str, Any]:
    labels = config.pop("labels", LABELS)
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}, **config}


def _roberta_like(config_class: Callable[..., Any], tokenizer: Any, config: dict[str, Any]) -> Any:
    return config_class(
        vocab_size=len(tokenizer),
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        **SIZES,
        **_head(config),
    )


def initialised(model: Any) -> Any:
    """Random weights, the same at every call."""
    import torch

    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.25)
    return model


def save(model: Any, tokenizer: Any, folder: Path) -> Path:
    initialised(model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def wordpiece() -> Any:
    return _tokenizer("wordpiece")


def byte_level_bpe() -> Any:
    return _tokenizer("byte_level_bpe")


def unigram() -> Any:
    return _tokenizer("unigram")


def _tokenizer(name: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(Path(__file__).parent / "trained_tokenizers" / f"{name}.json"))
