"""Long texts without spaces: a beginning has the same tokens as the whole, for every kind of tokenizer."""

import functools
import random

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

# As in the pre-tokenizers of recent language models: contractions, numbers by three, marks with the lines after them.
NUMBERS_BY_THREE = Regex(r"'(?i:s|t|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+")
LETTERS = "abcdef"
PIECES = [
    *LETTERS, "abc" * 40, "漢", "字", "漢字" * 30, "。", "，", "!", "?!" * 20, "'s", "1", "12345678", "é", "e\u0301",
    "\u0301", "ﬁ", "Σ", "👩\u200d👧", "한국", "\u3000", "\t", "x" * 300, "ab" * 150, "[SEP]", "@@", "#",
]  # fmt: skip


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer


def bytes_of(split):
    def make():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = split
        tokenizer.decoder = decoders.ByteLevel()
        return tokenizer, trainers.BpeTrainer

    return make


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    return tokenizer, functools.partial(trainers.UnigramTrainer, unk_token="[UNK]")


KINDS = {
    "wordpiece": wordpiece,
    "byte BPE": bytes_of(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "byte BPE, numbers by three": bytes_of(
        pre_tokenizers.Sequence([
            pre_tokenizers.Split(NUMBERS_BY_THREE, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
    ),
    "unigram": unigram,
}  # fmt: skip


def texts(count, least=50, most=400):
    draw = random.Random(7)
    for _ in range(count):
        pieces = draw.sample(PIECES, draw.randint(1, 6))
        yield "".join(draw.choices(pieces, k=draw.randint(least, most)))


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    made, trainer = KINDS[request.param]()
    known = ["[UNK]", "[SEP]"]
    made.train_from_iterator(texts(40, 5, 10), trainer(vocab_size=200, special_tokens=known, show_progress=False))
    return made


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_cut_inside_a_word_changes_no_token(shared, tokenizer, monkeypatch, side):
    monkeypatch.setattr(shared.tokenization, "SHORTEST_PART", 256)
    monkeypatch.setattr(shared.tokenization, "MOST_PARTS", 10**6)
    cut = 0
    for limit in (4, 33):
        tokenizer.enable_truncation(limit, direction=side)
        for text in texts(60):
            part = shared.tokenization.bounded(tokenizer, text)
            cut += len(part) < len(text)
            assert tokenizer.encode(part).ids == tokenizer.encode(text).ids, text[:400]
    assert side == "left" or cut


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_end_of_a_very_long_word_changes_no_token(shared, tokenizer, monkeypatch, side):
    """Cut where no word ends, a few parts away from the tokens kept. Of one letter again and again, or of numbers
    that are taken by three from the left, the tokens do depend on how long the word is: operations.md says so."""
    monkeypatch.setattr(shared.tokenization, "SHORTEST_PART", 64)
    draw = random.Random(11)
    for limit in (4, 33):
        tokenizer.enable_truncation(limit, direction=side)
        for letters in ("ab", LETTERS, "漢字", "漢字한국"):
            text = "".join(draw.choices(letters, k=10_000))
            part = shared.tokenization.bounded(tokenizer, text)
            assert len(part) <= shared.tokenization.MOST_PARTS * max(64, 16 * limit)
            assert tokenizer.encode(part).ids == tokenizer.encode(text).ids, text[:100]


@pytest.mark.parametrize(("side", "text"), [("right", "漢字。1!"), ("right", "a"), ("left", "a"), ("left", " ")])
def test_a_long_text_is_never_tokenized_whole(shared, tokenizer, side, text):
    tokenizer.enable_truncation(16, direction=side)
    most = shared.tokenization.MOST_PARTS * shared.tokenization.SHORTEST_PART
    seen = []
    watched = WatchedTokenizer(tokenizer, seen)
    assert len(shared.tokenization.bounded(watched, text * 400_000)) <= most
    pair = shared.tokenization._bounded(watched, (text * 400_000, text * 390_000))
    assert max(map(len, [*seen, *pair])) <= most


class WatchedTokenizer:
    """Records the texts that it encodes."""

    def __init__(self, tokenizer, seen):
        self.tokenizer, self.seen = tokenizer, seen

    def encode(self, text, **options):
        self.seen.append(text)
        return self.tokenizer.encode(text, **options)

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)


def test_chinese_is_cut_where_the_tokenizer_finds_words(shared, tokenizer):
    tokenizer.enable_truncation(16)
    part = shared.tokenization.bounded(tokenizer, "漢字。1!" * 200_000)
    parts = shared.tokenization.MOST_PARTS if isinstance(tokenizer.model, models.Unigram) else 1
    assert len(part) == parts * shared.tokenization.SHORTEST_PART
