"""The served tokenization: the settings override tokenizer.json."""

import numpy as np
import pytest

PAD, UNK, CLS, SEP, A, B, C, D, E, F, G, H = range(12)
NAMES = {"input_ids": np.int64, "attention_mask": np.int64, "token_type_ids": np.int64}


@pytest.fixture
def load(shared, words, settings_of, tmp_path):
    """`load(change, **settings)`: the tokenizer from a file, saved after `change`."""

    def make(change=lambda tokenizer: None, **settings):
        change(words)
        words.save(str(tmp_path / "tokenizer.json"))
        return shared.tokenization.load_tokenizer(tmp_path / "tokenizer.json", settings_of(**settings))

    return make


@pytest.fixture
def encode(shared):
    return shared.tokenization.encode


def test_rows_are_padded_to_the_longest_of_the_batch(load, encode):
    arrays = encode(load(), ["a b c", "d", ""], NAMES)
    assert arrays["input_ids"].tolist() == [[CLS, A, B, C, SEP], [CLS, D, SEP, PAD, PAD], [CLS, SEP, PAD, PAD, PAD]]
    assert arrays["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    assert arrays["token_type_ids"].tolist() == [[0] * 5] * 3
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int64)}


def with_own_rules(tokenizer):
    """Settings that a tokenizer.json from a training run often has."""
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=20, pad_id=9, pad_token="[UNK]", direction="left")


def test_the_settings_override_the_file(load, encode):
    arrays = encode(load(with_own_rules, max_length=6), ["a b c d e f g h", "a"], NAMES)
    assert arrays["input_ids"].tolist() == [[CLS, A, B, C, D, SEP], [CLS, A, SEP, PAD, PAD, PAD]]


def test_no_limit_and_no_padding_override_the_file(load, encode):
    arrays = encode(load(with_own_rules, max_length=None, padding=None), ["a b c d e f g h"], NAMES)
    assert arrays["input_ids"].tolist() == [[CLS, A, B, C, D, E, F, G, H, SEP]]


@pytest.mark.parametrize(
    ("side", "ids"), [("right", [CLS, A, B, C, SEP]), ("left", [CLS, D, E, F, SEP])], ids=["right", "left"]
)
def test_truncation_keeps_the_special_tokens(load, encode, side, ids):
    arrays = encode(load(max_length=5, truncation_side=side), ["a b c d e f"], NAMES)
    assert arrays["input_ids"].tolist() == [ids]


def test_a_text_of_exactly_the_limit_is_not_cut(load, encode):
    assert encode(load(max_length=5), ["a b c"], NAMES)["input_ids"].tolist() == [[CLS, A, B, C, SEP]]


def test_padding_on_the_left(load, encode):
    arrays = encode(load(padding={"side": "left"}), ["a b", "c"], NAMES)
    assert arrays["input_ids"].tolist() == [[CLS, A, B, SEP], [PAD, CLS, C, SEP]]
    assert arrays["attention_mask"].tolist() == [[1, 1, 1, 1], [0, 1, 1, 1]]


def test_the_pad_id_need_not_be_zero(load, encode):
    arrays = encode(load(padding={"id": 1, "token": "[UNK]", "type_id": 3}), ["a b", "c"], NAMES)
    assert arrays["input_ids"].tolist() == [[CLS, A, B, SEP], [CLS, C, SEP, 1]]
    assert arrays["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert arrays["token_type_ids"].tolist() == [[0, 0, 0, 0], [0, 0, 0, 3]]


def test_only_the_tensors_of_the_graph_in_their_own_types(load, encode):
    arrays = encode(load(), ["a b", "c"], {"attention_mask": np.int32, "input_ids": np.int32})
    assert list(arrays) == ["attention_mask", "input_ids"]
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int32)}


@pytest.mark.parametrize(
    ("side", "positions"),
    [("right", [[0, 1, 2, 3], [0, 1, 2, 1]]), ("left", [[0, 1, 2, 3], [1, 0, 1, 2]])],
    ids=["right", "left"],
)
def test_positions_count_the_tokens_and_skip_the_padding(load, encode, side, positions):
    arrays = encode(load(padding={"side": side}), ["a b", "c"], {"position_ids": np.int64, "input_ids": np.int64})
    assert arrays["position_ids"].tolist() == positions


def without_special_tokens(tokenizer):
    from tokenizers import processors

    tokenizer.post_processor = processors.ByteLevel()


@pytest.mark.parametrize("texts", [[""], ["word", ""]])
def test_a_text_without_any_token_is_refused_by_its_row(load, encode, texts):
    with pytest.raises(ValueError, match=f"row {texts.index('')}: the tokenizer finds no token"):
        encode(load(without_special_tokens), texts, {**NAMES, "position_ids": np.int64})


def test_an_unknown_tensor_is_an_error(load, encode):
    with pytest.raises(KeyError, match="pixel_values"):
        encode(load(), ["a"], {"pixel_values": np.int64})


@pytest.mark.parametrize("text", ["", "помогите", "👍🏽", "a\u0000b", "two\nlines", "{{ x }}"])
def test_rows_are_decoded_in_order(shared, text):
    array = np.array([[text.encode()], [b"a"]], dtype=np.object_)
    assert shared.tokenization.decode_rows(array, "text_input") == [text, "a"]


@pytest.mark.parametrize(
    ("value", "byte"),
    [(b"\xff", 0), (b"caf\xe9", 3), (b"\xc3", 0), (b"a\xed\xa0\x80", 1), (b"\xc0\x80", 0), ("é".encode("utf-16"), 0)],
)
def test_invalid_utf_8_names_the_input_the_row_and_the_byte(shared, value, byte):
    array = np.array([[b"a"], [b"b"], [value]], dtype=np.object_)
    with pytest.raises(ValueError, match=rf"^input 'text_input', row 2: not valid UTF-8 \(byte {byte}\)$"):
        shared.tokenization.decode_rows(array, "text_input")


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_very_long_text_is_cut_before_it_is_tokenized(load, shared, side):
    tokenizer = load(max_length=6, truncation_side=side)
    text = "a b c " * 50_000 + "d e f " * 50_000
    part = shared.tokenization.bounded(tokenizer, text)
    assert len(part) <= shared.tokenization.SHORTEST_PART
    assert tokenizer.encode(part).ids == tokenizer.encode(text).ids


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    "text",
    [
        " " * 9000 + "a b c" + " " * 9000,
        "a " + "h" * 30_000 + " b",
        "a" * 30_000,
        "a b" + " " * 30_000 + "c d e f g h",
        "\n".join(["a b", "c"] * 8000),
        "?!" * 9000,
    ],
    ids=["spaces around", "word within", "one word", "gap", "lines", "marks"],
)
def test_a_bound_changes_no_token(load, shared, text, side):
    tokenizer = load(max_length=6, truncation_side=side)
    assert tokenizer.encode(shared.tokenization.bounded(tokenizer, text)).ids == tokenizer.encode(text).ids


def test_a_tokenizer_that_does_not_split_at_spaces_sees_the_whole_text(shared):
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    tokenizer.enable_truncation(6)
    text = "a b " * 9000
    assert shared.tokenization.bounded(tokenizer, text) is text


PAIRS = {"input_ids": np.int64, "token_type_ids": np.int64}


def test_pairs_are_joined_like_the_tokenizer(load, encode):
    arrays = encode(load(), [("a b", "c"), ("d", "")], NAMES)
    assert arrays["input_ids"].tolist() == [[CLS, A, B, SEP, C, SEP], [CLS, D, SEP, SEP, PAD, PAD]]
    assert arrays["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 0, 0]]
    assert arrays["attention_mask"].tolist() == [[1] * 6, [1, 1, 1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("pair", "ids"),
    [
        (("a b c d e f g h", "a"), [CLS, A, B, C, D, SEP, A, SEP]),
        (("a", "a b c d e f g h"), [CLS, A, SEP, A, B, C, D, SEP]),
        (("a b c d e f g", "a b c d e f g h"), [CLS, A, B, SEP, A, B, C, SEP]),
        (("a b c d e f g h", "a b c d e f g"), [CLS, A, B, C, SEP, A, B, SEP]),
        (("a b", "c d e"), [CLS, A, B, SEP, C, D, E, SEP]),
    ],
)
def test_the_longer_text_of_a_pair_is_cut_first(load, encode, pair, ids):
    assert encode(load(max_length=8), [pair], PAIRS)["input_ids"].tolist() == [ids]


def test_a_pair_without_any_token_is_refused_by_its_row(load, encode):
    with pytest.raises(ValueError, match="input 'query', row 1: the tokenizer finds no token"):
        encode(load(without_special_tokens), [("", "a"), ("", "")], NAMES, "query")


LONG = "a b c " * 900
LONGER = "d e f g " * 700
SHORT_OF_A_PART = "h a " * 1000
ONE_WORD = "b" * 9000


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("max_length", [127, 128, 512])
@pytest.mark.parametrize(
    "pair",
    [
        (LONG, "a"),
        ("a", LONG),
        ("", LONG),
        (LONG, LONGER),
        (LONGER, LONG),
        (LONG, LONG),
        (LONG, SHORT_OF_A_PART),
        (SHORT_OF_A_PART, LONG),
        (ONE_WORD, LONG),
        (LONG, ONE_WORD),
    ],
)
def test_a_bound_changes_no_token_of_a_pair(load, encode, pair, max_length, side):
    """Of two texts that are too long, the one with more tokens keeps the odd token, also if only parts are read."""
    tokenizer = load(max_length=max_length, truncation_side=side)
    expected = tokenizer.encode(*pair)
    arrays = encode(tokenizer, [pair], PAIRS)
    assert arrays["input_ids"].tolist() == [expected.ids]
    assert arrays["token_type_ids"].tolist() == [expected.type_ids]


def test_a_long_text_of_a_pair_is_cut_before_it_is_tokenized(load, shared):
    tokenizer = load(max_length=8)
    question, text = shared.tokenization._bounded(tokenizer, ("a", "b c " * 100_000))
    assert question == "a"
    assert len(text) <= shared.tokenization.SHORTEST_PART
