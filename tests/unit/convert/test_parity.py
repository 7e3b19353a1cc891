"""The graph against PyTorch, with a graph made here: whatever differs is fatal."""

from types import SimpleNamespace

import numpy as np
import pytest

from utils.convert import parity
from utils.host.errors import ParityError
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec

TEXTS = tuple("a" * size for size in (1, 4, 2, 3, 5, 2, 1))
FROZEN = SimpleNamespace(settings={"padding": {}})


def right(text):
    """Two outputs: one a text, one a token."""
    size = len(text)
    return {"logits": np.arange(3.0) + size, "states": np.tile(np.arange(1.0, size + 1), (2, 1)).T}


def batch_of(rows):
    """Padded to the longest, as a graph gives them."""
    longest = max(len(row["states"]) for row in rows)
    states = [np.pad(row["states"], ((0, longest - len(row["states"])), (0, 0)), constant_values=9) for row in rows]
    return {"logits": np.stack([row["logits"] for row in rows]), "states": np.stack(states)}


@pytest.fixture
def check(monkeypatch):
    """`check(change, texts)`: the result for a graph that answers rightly but for `change(batch, texts)`."""

    def run(change=lambda batch, texts: None, texts=TEXTS, largest=8):
        sizes = []

        def answering(_graph, _frozen):
            def answer(texts):
                sizes.append(len(texts))
                batch = batch_of([right(text) for text in texts])
                return change(batch, texts) or batch

            return answer

        monkeypatch.setattr(parity, "_answering", answering)
        outputs = tuple(TensorSpec(name=name, dtype="FP32", dims=(-1,)) for name in ("logits", "states"))
        graph = Graph(path=None, inputs=(), outputs=outputs)
        expected = [right(text) for text in texts]
        return parity.check_outputs(graph, FROZEN, texts, expected, max_batch_size=largest), sizes

    return run


def test_right_outputs_agree_whatever_stands_for_padding(check):
    result, sizes = check()
    assert result.agrees and result.max_difference == 0.0 and result.agreement == 1.0
    assert result.texts == sum(sizes) == len(TEXTS) * len(parity.BATCH_SIZES)


def test_no_batch_is_larger_than_is_served(check, monkeypatch):
    assert max(check(largest=2)[1]) == 2
    assert max(check(largest=1)[1]) == 1
    monkeypatch.setitem(FROZEN.settings, "padding", None)
    assert max(check(largest=8)[1]) == 1


def test_pairs_are_compared_as_texts_are(check):
    result, _ = check(texts=(("a", "b"), ("c", "d")))
    assert result.agrees


def shift(name, place, size=0.5, alone=True):
    """A change of one value of one output, in batches of one or of more texts."""

    def change(batch, texts):
        if (len(texts) == 1) == alone:
            batch[name][place] += size

    return change


@pytest.mark.parametrize("name", ["logits", "states"])
def test_a_difference_in_any_output_is_fatal(check, name):
    with pytest.raises(ParityError, match=r"largest difference 0\.5"):
        check(shift(name, (0, 0)))


@pytest.mark.parametrize("name", ["logits", "states"])
def test_a_difference_in_batches_only_says_what_to_do(check, name):
    with pytest.raises(ParityError, match=r"share a batch.*each text alone agrees.*MAX_BATCH_SIZE 1"):
        check(shift(name, (1, 0), alone=False))


def test_small_differences_are_reported_and_pass(check):
    result, _ = check(shift("states", (0, 0), size=2e-4))
    assert result.max_difference == pytest.approx(2e-4)


def test_another_choice_is_fatal_however_small_the_difference(check):
    def change(batch, _):
        batch["logits"] = batch["logits"][:, ::-1] * 1e-6 + 0

    with pytest.raises(ParityError, match="graph and PyTorch differ"):
        check(change)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("alone", [True, False])
def test_what_is_not_finite_is_fatal(check, value, alone):
    with pytest.raises(ParityError, match=r"the states for 'a.*' are not finite"):
        check(shift("states", (0, 0, 0), size=value, alone=alone))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("logits", lambda logits: logits[:, :2]),
        ("logits", lambda logits: np.concatenate([logits, logits], axis=1)),
        ("logits", lambda logits: logits[:, :, None]),
        ("logits", lambda logits: logits[0]),
        ("logits", lambda logits: logits[:0]),
        ("logits", lambda logits: np.concatenate([logits, logits])),
        ("states", lambda states: states[:, :-1]),
        ("states", lambda states: np.concatenate([states, states], axis=1)),
        ("states", lambda states: np.concatenate([states, states], axis=2)),
        ("states", lambda states: states[0]),
    ],
)
def test_outputs_of_other_shapes_are_fatal(check, name, change):
    with pytest.raises(ParityError, match=f"the graph gives {name}"):
        check(lambda batch, _: {**batch, name: change(batch[name])})


def test_a_batch_that_loses_a_row_is_fatal(check):
    def change(batch, texts):
        return {name: values[: max(1, len(texts) - 1)] for name, values in batch.items()}

    with pytest.raises(ParityError, match=r"the graph gives logits \[1, 3\] for 2 texts"):
        check(change)


def test_ragged_batches_hold_every_text_at_every_size():
    singles, batches = parity._ragged_batches(7, largest=8)
    assert singles == [[row] for row in range(7)]
    batches = singles + batches
    for size in parity.BATCH_SIZES:
        assert [row for batch in batches if len(batch) == size for row in batch]
    assert all(sum(row in batch for batch in batches) == len(parity.BATCH_SIZES) for row in range(7))
