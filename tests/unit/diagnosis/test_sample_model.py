"""The model of --prove is reproducible, so that its conversion is cached between runs."""

from utils.diagnosis import sample_model


def test_the_sample_model_is_reproducible(tmp_path):
    first, second = (sample_model.make(tmp_path / name) for name in ("one", "two"))
    names = {path.name for path in first.iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert {name: (first / name).read_bytes() for name in names} == {
        name: (second / name).read_bytes() for name in names
    }
