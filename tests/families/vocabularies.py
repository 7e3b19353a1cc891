"""Vocabulary files in each form that tokenizers are saved in, trained on a few sentences once a process."""

import functools
import io
import json
from pathlib import Path
from typing import Any

from tests.tiny_models import SENTENCES, byte_level_bpe, wordpiece

WORDPIECE = "WordPiece"
BYTE_LEVEL = "byte-level BPE"
UNIGRAM = "SentencePiece Unigram"
SENTENCEPIECE_BPE = "SentencePiece BPE"
# Every type's usual special tokens; a tokenizer class adds those of its own that are lacking.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>")

# Where a SentencePiece model keeps its special tokens; the converters of the types count on it.
ARRANGEMENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "albert": {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]},
    "bigbird": {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]},
    "deberta": {"pad_id": 0, "unk_id": 3, "bos_id": 1, "eos_id": 2, "pad_piece": "[PAD]", "bos_piece": "[CLS]",
                "eos_piece": "[SEP]", "unk_piece": "[UNK]", "control_symbols": ["[MASK]"]},
    "gemma": {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3},
    "pegasus": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
}  # fmt: skip


def write(form: str, folder: Path, *, arrangement: str = "plain", name: str = "spiece.model") -> dict[str, str]:
    """Writes the vocabulary files of a form; returns them as a tokenizer class takes them.

    `arrangement` and `name` are those of a SentencePiece file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if form == WORDPIECE:
        (folder / "vocab.txt").write_text("\n".join(_words()) + "\n", encoding="utf-8")
        return {"vocab_file": str(folder / "vocab.txt")}
    if form == BYTE_LEVEL:
        vocabulary, merges = _byte_level()
        (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        (folder / "merges.txt").write_text(merges, encoding="utf-8")
        return {"vocab_file": str(folder / "vocab.json"), "merges_file": str(folder / "merges.txt")}
    (folder / name).write_bytes(_sentencepiece("unigram" if form == UNIGRAM else "bpe", arrangement))
    return {"vocab_file": str(folder / name)}


@functools.cache
def _words() -> list[str]:
    learned = wordpiece().get_vocab()
    return list(dict.fromkeys((*SPECIAL, *sorted(learned, key=learned.__getitem__))))


@functools.cache
def _byte_level() -> tuple[dict[str, int], str]:
    tokenizer = byte_level_bpe()
    vocabulary = tokenizer.get_vocab()
    for token in SPECIAL:
        vocabulary.setdefault(token, len(vocabulary))
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    lines = (pair if isinstance(pair, str) else " ".join(pair) for pair in merges)
    return vocabulary, "\n".join(("#version: 0.2", *lines)) + "\n"


@functools.cache
def _sentencepiece(kind: str, arrangement: str) -> bytes:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        model_type=kind,
        vocab_size=400,
        hard_vocab_limit=False,
        byte_fallback=kind == "bpe",
        minloglevel=2,
        **ARRANGEMENTS[arrangement],
    )
    return model.getvalue()
