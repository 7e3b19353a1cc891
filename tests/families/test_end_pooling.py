"""Heads that pool at the last end token: a text that holds one shares a batch with others and changes none of them."""

import numpy as np
import pytest

from tests.families import build
from tests.families.conversion import convert_folder, pipeline_logits
from utils.convert.onnx.exported_graph import onnx_session
from utils.repository.served_code import load_shared


@pytest.mark.parametrize("model_type", ["bart", "mbart", "bigbird_pegasus"])
def test_rows_with_different_numbers_of_end_tokens(tmp_path, model_type):
    model = build.make_model(model_type, tmp_path / "model")
    conversion = convert_folder(model, tmp_path / "out")
    end = conversion.reference.tokenizer.eos_token
    texts = [f"rain {end} sun {end} and wind", "sun", f"a{end}b", "good news today"]
    served = load_shared("tokenization")
    fast = served.load_tokenizer(conversion.tokenizer.file, conversion.tokenizer.settings)
    dtypes = {tensor.name: tensor.dtype.lower() for tensor in conversion.graph.inputs}
    arrays = served.encode(fast, texts, dtypes)
    ends = (arrays["input_ids"] == conversion.reference.tokenizer.eos_token_id).sum(axis=1)
    assert len(set(ends.tolist())) > 1
    (together,) = onnx_session(conversion.graph.path).run(["logits"], arrays)
    assert np.abs(together - pipeline_logits(model, texts)).max() < 1e-4
