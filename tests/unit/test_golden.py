import json

import pytest

from utils.errors import BootProofError
from utils.golden import GoldenAnswers, read_golden, write_golden

GOLDEN = GoldenAnswers(
    texts=("помогите", "", "two\nlines"),
    labels=("a", "b"),
    scores=((0.25, 0.75), (0.5, 0.5), (1.0, 1e-9)),
    top_k=1,
)


def test_what_was_written_is_what_is_read(tmp_path):
    path = write_golden(GOLDEN, tmp_path)
    assert path == tmp_path / "golden.json"
    assert read_golden(path) == GOLDEN


def refusal(path):
    with pytest.raises(BootProofError) as caught:
        read_golden(path)
    assert caught.value.exit_code == 8
    assert repr(str(path)) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"[]", b"3", b"null", b'"text"', b"{}"])
def test_a_lost_or_broken_file_does_not_skip_the_proof(tmp_path, content):
    path = tmp_path / "golden.json"
    if content is not None:
        path.write_bytes(content)
    assert "build the tree anew" in refusal(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"texts": []},
        {"texts": [], "scores": []},
        {"texts": ["one"]},
        {"scores": [[0.25, 0.75]]},
        {"scores": [[0.25], [0.5], [1.0]]},
        {"scores": [[0.25, 0.75, 0.1], [0.5, 0.5, 0.1], [1.0, 0.0, 0.1]]},
        {"scores": [["x", "y"], [0.5, 0.5], [1.0, 0.0]]},
        {"scores": [0.25, 0.5, 1.0]},
        {"scores": None},
        {"labels": None},
        {"labels": []},
        {"top_k": 0},
        {"top_k": 3},
        {"top_k": "1"},
        {"tolerance": "0.1"},
        {"tolerance": None},
        {"unknown": 1},
    ],
    ids=str,
)
def test_content_that_cannot_prove_anything_is_refused(tmp_path, changes):
    path = write_golden(GOLDEN, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    refusal(path)
