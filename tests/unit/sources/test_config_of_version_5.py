"""The config.json of transformers 5, in the keys of version 4."""

import pytest

from utils.host.errors import SourceError
from utils.sources.config_of_version_5 import for_version_4

FULL, SLIDING = "full_attention", "sliding_attention"
PLAIN = {"rope_type": "default", "rope_theta": 500000.0}
SCALED = {**PLAIN, "rope_type": "llama3", "factor": 8.0}


def translated(**content):
    return for_version_4({"transformers_version": "5.24.0", **content}, "config.json")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"model_type": "llama", "rope_parameters": PLAIN}, {"rope_theta": 500000.0, "rope_scaling": None}),
        (
            {"model_type": "llama", "rope_parameters": SCALED},
            {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        ),
        (
            {"model_type": "gpt_neox", "rope_parameters": {**PLAIN, "partial_rotary_factor": 0.25}},
            {"rotary_emb_base": 500000.0, "rotary_pct": 0.25},
        ),
        (
            {"model_type": "phi", "rope_parameters": {**PLAIN, "partial_rotary_factor": 0.5}},
            {"partial_rotary_factor": 0.5},
        ),
        (
            {"model_type": "modernbert", "rope_parameters": {FULL: PLAIN, SLIDING: {"rope_theta": 9.0}}},
            {"global_rope_theta": 500000.0, "local_rope_theta": 9.0},
        ),
        (
            {"model_type": "gemma3_text", "rope_parameters": {FULL: SCALED, SLIDING: {"rope_theta": 9.0}}},
            {
                "rope_theta": 500000.0,
                "rope_local_base_freq": 9.0,
                "rope_scaling": {"rope_type": "llama3", "factor": 8.0},
            },
        ),
        (
            {"model_type": "modernbert", "layer_types": [FULL, SLIDING, FULL]},
            {"global_attn_every_n_layers": 2},
        ),
        ({"model_type": "qwen3_moe", "num_local_experts": 4}, {"num_experts": 4}),
    ],
)
def test_every_key_has_one_of_version_4(content, expected):
    made = translated(**content)
    assert {name: made[name] for name in expected} == expected
    assert not {"rope_parameters", "num_local_experts"} & set(made)


def test_parts_of_a_config_are_translated_too():
    part = {"model_type": "gemma3_text", "rope_parameters": {SLIDING: {"rope_theta": 9.0}}}
    assert translated(model_type="gemma3", text_config=part)["text_config"]["rope_local_base_freq"] == 9.0


def test_a_config_of_version_4_stays_as_it_is():
    content = {"model_type": "llama", "rope_theta": 7.0, "rope_scaling": {"type": "linear", "factor": 2.0}}
    assert for_version_4(content, "config.json") == content


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            {"model_type": "llama", "rope_parameters": {**PLAIN, "partial_rotary_factor": 0.5}},
            "partial_rotary_factor 0.5",
        ),
        (
            {"model_type": "llama", "rope_parameters": {**PLAIN, "rope_type": "proportional"}},
            "rope_type 'proportional'",
        ),
        ({"model_type": "qwen3", "rope_parameters": {FULL: PLAIN}}, "for each type of layer"),
        ({"model_type": "modernbert", "rope_parameters": {FULL: SCALED}}, "'llama3' for full_attention"),
        ({"model_type": "gemma3_text", "rope_parameters": {SLIDING: SCALED}}, "'llama3' for sliding_attention"),
        ({"model_type": "modernbert", "layer_types": [SLIDING, FULL]}, "layer_types"),
        ({"model_type": "gemma2", "use_bidirectional_attention": True}, "use_bidirectional_attention True"),
    ],
)
def test_what_version_4_cannot_compute_is_refused_by_name(content, named):
    with pytest.raises(
        SourceError, match=rf"written by transformers 5\.24\.0, has .*{named}.*transformers 4"
    ) as raised:
        translated(**content)
    assert raised.value.exit_code == 3
