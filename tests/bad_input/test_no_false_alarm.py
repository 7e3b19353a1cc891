"""Models that can be served are not refused by the early checks, whatever their type."""

import json

import pytest

from tests.families import build
from tests.families.outcomes import OUTCOMES
from tests.known_keys.checkpoints import CONFIGS, TOKENIZERS
from utils.convert.reference_model import load_config
from utils.convert.tokenization import load_tokenizer
from utils.sources.fetch import fetch_metadata, fetch_model
from utils.sources.known_keys.folder import unread_in_model, unread_in_tokenizer
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import parse_reference

SERVED = [model_type for model_type, outcome in OUTCOMES.items() if outcome.code == 0]


def glance(model, tmp_path, **requirements):
    reference = parse_reference(str(model))
    spec = Sources(
        model=reference,
        tokenizer=reference,
        labels=None,
        fetch_timeout=30,
        requirements=SourceRequirements(**requirements),
    )
    metadata = fetch_metadata(spec, tmp_path / "work")
    assert fetch_model(spec, metadata, tmp_path / "work") == model
    return metadata


@pytest.mark.parametrize("model_type", SERVED)
def test_every_served_type_is_accepted(model_type, tmp_path, capfd):
    model = build.make_model(model_type, tmp_path / "model")
    tokenizer = load_tokenizer(model, load_config(model))
    capfd.readouterr()
    metadata = glance(model, tmp_path, max_batch_size=1 if tokenizer.pad_token is None else 8)
    assert metadata.vocabulary == max(tokenizer.get_vocab().values()) + 1
    assert "warning" not in capfd.readouterr().err


@pytest.mark.parametrize("name", CONFIGS)
def test_unread_keys_of_public_checkpoints_are_accepted(name, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS[name]))
    assert [str(doubt) for doubt in unread_in_model(tmp_path, sentences=True) if doubt.refused] == []


@pytest.mark.parametrize("name", TOKENIZERS)
def test_unread_tokenizer_keys_of_public_checkpoints_are_accepted(name, tmp_path):
    version = "5.24.0" if "transformers 5" in name else "4.57.6"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "transformers_version": version}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(TOKENIZERS[name]))
    assert [str(doubt) for doubt in unread_in_tokenizer(tmp_path, {}) if doubt.refused] == []
