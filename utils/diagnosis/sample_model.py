"""The tiny classifier that --prove builds: a BERT of two layers with seeded weights, as save_pretrained() writes it."""

from pathlib import Path
from typing import Any

LABELS = ("negative", "neutral", "positive")
SENTENCES = (
    "I would like my money back, please.",
    "The parcel came on time and everything is fine.",
    "помогите мне пожалуйста",
    "Ça coûte 12,50 € à l'épicerie",
)
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKENS = 128


def make(folder: Path) -> Path:
    """Writes model and tokenizer into `folder` and returns it; the same files each time."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    tokenizer = _tokenizer()
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=TOKENS,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    torch.manual_seed(7)
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.25)  # large enough for clearly different answers
    model.save_pretrained(folder)
    BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=TOKENS).save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    """WordPiece with a fixed vocabulary: a trained one differs between runs where counts are equal."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    words = {word for text in SENTENCES for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))}
    letters = sorted({letter for word in words for letter in word})
    tokens = [*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters), *sorted(words - set(letters))]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    ends = [(token, vocabulary[token]) for token in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer
