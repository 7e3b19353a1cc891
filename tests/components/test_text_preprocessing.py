import numpy as np
import pytest

PAD, UNK, CLS, SEP, A, B, C, D = range(8)
ALL = {"input_ids": "TYPE_INT64", "attention_mask": "TYPE_INT64", "token_type_ids": "TYPE_INT64"}


@pytest.fixture
def load(load_component, words, settings_of):
    def make(outputs=ALL, text_input="text_input", **settings):
        files = {"tokenizer.json": words.to_str(), "settings.json": settings_of(**settings)}
        return load_component("text_preprocessing", {text_input: "TYPE_STRING"}, outputs, files)

    return make


def texts(*values):
    return np.array([[value.encode() if isinstance(value, str) else value] for value in values], dtype=np.object_)


def test_texts_become_token_arrays(load, request_of):
    (response,) = load().execute([request_of(text_input=texts("a b", "c"))])
    assert response.error is None
    assert {name: array.tolist() for name, array in response.outputs.items()} == {
        "input_ids": [[CLS, A, B, SEP], [CLS, C, SEP, PAD]],
        "attention_mask": [[1, 1, 1, 1], [1, 1, 1, 0]],
        "token_type_ids": [[0, 0, 0, 0], [0, 0, 0, 0]],
    }


def test_each_request_is_padded_to_its_own_longest_text(load, request_of):
    requests = [request_of(text_input=texts("a")), request_of(text_input=texts("a b c d", "a"))]
    assert [response.outputs["input_ids"].shape for response in load().execute(requests)] == [(1, 3), (2, 6)]


def test_buckets_give_similar_lengths_one_shape(load, request_of):
    model = load(max_length=20, padding={"buckets": [4, 8, 20]})
    requests = ["a", "a b", "a b c", "a b c d e f", "a b c d e f g", " ".join("abcdefgh" * 9)]
    responses = model.execute([request_of(text_input=texts(text)) for text in requests])
    assert [response.outputs["input_ids"].shape[1] for response in responses] == [4, 4, 8, 8, 20, 20]
    assert [int(response.outputs["attention_mask"].sum()) for response in responses] == [3, 4, 5, 8, 9, 20]


@pytest.mark.parametrize(
    "outputs",
    [
        {"input_ids": "TYPE_INT64", "attention_mask": "TYPE_INT64"},
        {"input_ids": "TYPE_INT32", "attention_mask": "TYPE_INT32", "token_type_ids": "TYPE_INT32"},
        {"input_ids": "TYPE_INT32", "attention_mask": "TYPE_INT64", "position_ids": "TYPE_INT64"},
    ],
)
def test_the_outputs_are_those_of_the_graph(load, request_of, outputs):
    (response,) = load(outputs).execute([request_of(text_input=texts("a"))])
    assert {name: array.dtype.name for name, array in response.outputs.items()} == {
        name: dtype.removeprefix("TYPE_").lower() for name, dtype in outputs.items()
    }


def test_the_settings_are_used(load, request_of):
    model = load(max_length=3, padding={"side": "left", "id": 1, "token": "[UNK]"})
    (response,) = model.execute([request_of(text_input=texts("a b c d", ""))])
    assert response.outputs["input_ids"].tolist() == [[CLS, A, SEP], [UNK, CLS, SEP]]


@pytest.mark.parametrize("name", ["text_input", "sentence"])
def test_invalid_utf_8_fails_its_own_request_only(load, request_of, name):
    requests = [request_of(**{name: values}) for values in (texts("a"), texts("b", b"\xff\xfe"), texts("c"))]
    before, bad, after = load(text_input=name).execute(requests)
    assert bad.error.message() == f"input '{name}', row 1: not valid UTF-8 (byte 0)"
    assert bad.error.code() == "INVALID_ARG"
    assert bad.outputs == {}
    assert before.outputs["input_ids"].tolist() == [[CLS, A, SEP]]
    assert after.outputs["input_ids"].tolist() == [[CLS, C, SEP]]
    assert (before.error, after.error) == (None, None)


@pytest.mark.parametrize("text", ["", " ", "\u0000", "{{ x }}", "помогите", "a" * 100_000, "👍🏽" * 1000])
def test_unusual_texts_are_tokenized(load, request_of, text):
    (response,) = load(max_length=8).execute([request_of(text_input=texts(text))])
    assert response.error is None
    assert 2 <= response.outputs["input_ids"].shape[1] <= 8


@pytest.fixture
def load_pairs(load_component, words, settings_of):
    files = {"tokenizer.json": words.to_str(), "settings.json": settings_of()}
    return load_component("text_preprocessing", {"query": "TYPE_STRING", "document": "TYPE_STRING"}, ALL, files)


def test_two_inputs_are_pairs_in_their_order(load_pairs, request_of):
    (response,) = load_pairs.execute([request_of(document=texts("c", "d a"), query=texts("a b", "c"))])
    assert response.error is None
    assert response.outputs["input_ids"].tolist() == [[CLS, A, B, SEP, C, SEP], [CLS, C, SEP, D, A, SEP]]
    assert response.outputs["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("name", ["query", "document"])
def test_invalid_utf_8_in_a_pair_names_its_input(load_pairs, request_of, name):
    columns = {"query": texts("a", "b"), "document": texts("c", "d"), name: texts("a", b"\xff")}
    (response,) = load_pairs.execute([request_of(**columns)])
    assert response.error.message() == f"input '{name}', row 1: not valid UTF-8 (byte 0)"
    assert response.error.code() == "INVALID_ARG"


def test_an_empty_second_text_is_dropped(load_component, request_of, words, settings_of):
    """Like transformers' pipelines: no second separator, no second type."""
    files = {"tokenizer.json": words.to_str(), "settings.json": settings_of()}
    outputs = {"input_ids": "TYPE_INT64", "token_type_ids": "TYPE_INT64"}
    model = load_component("text_preprocessing", {"query": "TYPE_STRING", "text": "TYPE_STRING"}, outputs, files)
    columns = {"query": [["a b"], ["a"], [""]], "text": [["c"], [""], ["c"]]}
    request = request_of(**{name: np.array(rows, dtype=object) for name, rows in columns.items()})
    (response,) = model.execute([request])
    assert response.outputs["input_ids"].tolist() == [[2, 4, 5, 3, 6, 3], [2, 4, 3, 0, 0, 0], [2, 3, 6, 3, 0, 0]]
    assert response.outputs["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0] * 6, [0, 0, 1, 1, 0, 0]]
