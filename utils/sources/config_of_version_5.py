"""Translates a config.json of transformers 5 into the form that version 4 reads.

Source: `convert_rope_params_to_dict` in transformers 5.24, configuration_*.py: how it reads the files of version 4.
"""

from collections.abc import Callable
from typing import Any

from utils.host.errors import SourceError

# Version 4's keys for the base of the rotary angles in full and in sliding attention, for types where these differ.
LAYERED = {
    "gemma3": ("rope_theta", "rope_local_base_freq"),
    "gemma3_text": ("rope_theta", "rope_local_base_freq"),
    "modernbert": ("global_rope_theta", "local_rope_theta"),
}
LAYERS = ("full_attention", "sliding_attention")
# Types whose full-attention layers can have a scaling in version 4.
SCALED_LAYERS = ("gemma3", "gemma3_text")
# Types with other names for two values in version 4.
NAMES = {"gpt_neox": {"rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"}}
# Keys that version 5 renamed.
RENAMED = {"qwen3_moe": {"num_local_experts": "num_experts"}}
# Keys that version 4 lacks; they have an effect only if true.
LACKING = {"gemma": ("use_bidirectional_attention",), "gemma2": ("use_bidirectional_attention",)}
# Types with capped attention scores in version 5; version 4 caps them only in this implementation.
ATTENTION = {"gemma2": "eager"}
# Types for which version 4 reads partial_rotary_factor.
PARTIAL = ("gpt_neox", "phi", "phi3")
ORIGINAL_LENGTH = "original_max_position_embeddings"


def for_version_4(content: dict[str, Any], file: str) -> dict[str, Any]:
    """`content` of `file` with `rope_parameters` in the keys of version 4, in its parts too; all else unchanged.

    SourceError (exit 3) names a value that no key of version 4 can carry.
    """
    model_type = str(content.get("model_type", ""))
    names = RENAMED.get(model_type, {})
    made = {
        names.get(name, name): for_version_4(value, file)
        if name.endswith("_config") and isinstance(value, dict)
        else value
        for name, value in content.items()
    }
    refuse = _refusing(content, file)
    for name in LACKING.get(model_type, ()):
        if content.get(name):
            raise refuse(f"{name} {content[name]!r}")
    if model_type == "modernbert" and isinstance(content.get("layer_types"), list):
        made["global_attn_every_n_layers"] = _interval(content["layer_types"], refuse)
    rope = made.pop("rope_parameters", None)
    if not isinstance(rope, dict) or not rope:
        return made
    translated = _layered if any(layer in rope for layer in LAYERS) else _flat
    return {**made, **translated(model_type, rope, refuse)}


Refuse = Callable[[str], SourceError]


def _refusing(content: dict[str, Any], file: str) -> Refuse:
    version = content.get("transformers_version", "5")
    return lambda key: SourceError(
        f"{file!r}, written by transformers {version}, has {key}, which transformers 4 (the version that the exporter "
        f"needs) cannot compute for model type {content.get('model_type')!r}; give a model without it, such as one "
        "trained and saved with transformers 4"
    )


def _interval(layer_types: list[str], refuse: Refuse) -> int:
    """n, if every n-th layer from the first on has full attention: version 4 has no other form."""
    for interval in range(1, len(layer_types) + 1):
        if all((kind == LAYERS[0]) == (place % interval == 0) for place, kind in enumerate(layer_types)):
            return interval
    raise refuse(f"layer_types {layer_types!r}")


def _flat(model_type: str, rope: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
    values = {name: rope[name] for name in ("rope_theta", "partial_rotary_factor") if rope.get(name) is not None}
    share = values.get("partial_rotary_factor", 1.0)
    if share != 1.0 and model_type not in PARTIAL:
        raise refuse(f"partial_rotary_factor {share!r} in rope_parameters")
    names = NAMES.get(model_type, {})
    made = {names.get(name, name): value for name, value in values.items()}
    scaling = _scaling(rope)
    if scaling and model_type == "phi3":
        return {**made, **_of_phi3(scaling, refuse)}
    if scaling and scaling["rope_type"] == "proportional":
        raise refuse("rope_type 'proportional' in rope_parameters")
    return {**made, "rope_scaling": scaling}


def _scaling(rope: dict[str, Any]) -> dict[str, Any] | None:
    """The keys of the scaling; None for angles that are not scaled."""
    if rope.get("rope_type", rope.get("type", "default")) == "default":
        return None
    return {name: value for name, value in rope.items() if name not in ("rope_theta", "partial_rotary_factor")}


def _of_phi3(scaling: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
    """Version 4 allows three keys; ORIGINAL_LENGTH moves to the top level."""
    known = {"rope_type", "type", "short_factor", "long_factor", ORIGINAL_LENGTH}
    for name in scaling.keys() - known:
        raise refuse(f"{name} {scaling[name]!r} in rope_parameters")
    kept = {name: scaling[name] for name in ("type", "short_factor", "long_factor") if name in scaling}
    made: dict[str, Any] = {"rope_scaling": {"type": scaling["rope_type"], **kept}}
    if ORIGINAL_LENGTH in scaling:
        made[ORIGINAL_LENGTH] = scaling[ORIGINAL_LENGTH]
    return made


def _layered(model_type: str, rope: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
    """For types whose full and sliding attention layers have different angles."""
    if model_type not in LAYERED:
        raise refuse("rope_parameters for each type of layer")
    made: dict[str, Any] = {}
    for layer, name in zip(LAYERS, LAYERED[model_type], strict=True):
        own = rope.get(layer) or {}
        if own.get("rope_theta") is not None:
            made[name] = own["rope_theta"]
        if own.get("partial_rotary_factor", 1.0) not in (None, 1.0):
            raise refuse(f"partial_rotary_factor for {layer} in rope_parameters")
        if scaling := _scaling(own):
            if model_type not in SCALED_LAYERS or layer != LAYERS[0]:
                raise refuse(f"rope_type {scaling['rope_type']!r} for {layer} in rope_parameters")
            made["rope_scaling"] = scaling
    return made
