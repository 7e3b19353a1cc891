"""An edited context.json gives a context, or exit 6 and one sentence."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.edge import outcome
from tests.fuzz.mutations import json_files, or_kinds, place
from tests.fuzz.profile import examples
from utils.repository.context import CONTEXT_FILE, Context, read_context

TENSOR = {"name": "text_input", "dtype": "STRING", "dims": [1], "reshape": None}
STEP = {
    "component": "text_preprocessing", "model_name": "text_preprocessing", "max_batch_size": 8, "inputs": [TENSOR],
    "outputs": [TENSOR], "files": {"tokenizer.json": "artifacts/tokenizer.json"}, "earlier": {"1": {"a": "b"}},
    "documents": {"settings.json": {"max_length": 16}}, "gpus": [0],
    "requirements": ["requirements.txt"],
}  # fmt: skip
VALID = {
    "format": 1, "image": "a:v1", "device": "cpu", "docker": {"runtime": "slim"}, "oci_labels": {"a": "b"},
    "pipeline": {
        "model_name": "topics", "max_batch_size": 8, "layout": "ensemble", "inputs": [TENSOR], "outputs": [TENSOR],
        "steps": [STEP],
    },
}  # fmt: skip


@given(content=or_kinds(st.just(VALID).flatmap(json_files)))
@examples(75)
def test_a_changed_context(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("context") / CONTEXT_FILE
    place(path, content)
    found = outcome(lambda: read_context(path), codes={6})
    assert found.code or isinstance(found.result, Context)


def test_an_unchanged_context_is_read(tmp_path):
    (tmp_path / CONTEXT_FILE).write_text(json.dumps(VALID), encoding="utf-8")
    files = read_context(tmp_path / CONTEXT_FILE).requirements
    assert files == (Path("model_repository/text_preprocessing/requirements.txt"),)
