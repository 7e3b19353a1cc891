"""The options of a build as the provenance states them: without paths of the builder's machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.sources.storage import StorageRef, parse_reference

# They change neither image nor model repository, or are files of the builder alone.
LEFT_OUT = {"json", "debug", "dry_run", "sign_key", "cache_from", "cache_to", "jobs", "config"}
REFERENCES = ("model", "tokenizer", "id2label", "adapter")
FILES = ("eval_file", "calibration_file")
# [NAME=]FILE
NAMED_FILES = ("add_model", "golden_inputs")
NO_REFERENCE = "-"


def public_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a user gave, by name. Of a local path only the last part is left."""
    return {name: _public(name, value) for name, value in sorted(values.items()) if name not in LEFT_OUT}


def _public(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_public(name, each) for each in value]
    if name in REFERENCES and value != NO_REFERENCE:
        return public_reference(parse_reference(value))
    if name in FILES:
        return Path(value).name
    if name in NAMED_FILES:
        key, mark, file = value.rpartition("=")
        return f"{key}{mark}{public_reference(parse_reference(file))}"
    return value


def public_reference(reference: StorageRef) -> str:
    """A reference; the last part of a local one is enough to know a model by."""
    return f"local:{Path(reference.locator).name}" if reference.scheme == "local" else str(reference)
