"""A ClearML model whose package is one file of weights; its config.json is the model's configuration on the server."""

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from utils.host.errors import SourceError
from utils.host.link_or_copy import clone
from utils.sources.storage import matches
from utils.sources.storage.clearml_api import Entry

# suffix on the server -> the name that save_pretrained() gives the file
_NAMES = {".safetensors": "model.safetensors", ".bin": "pytorch_model.bin"}


def is_weights(uri: str) -> bool:
    """True if the address is that of one file of weights."""
    return _suffix(uri) in _NAMES


def fetch(entry: Entry, patterns: tuple[str, ...], folder: Path, reference: str, download: Callable[[], Path]) -> Path:
    """`folder` with config.json, and with the weights once `patterns` match them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(_configuration(entry, reference)), encoding="utf-8")
    weights = folder / _NAMES[_suffix(entry.uri)]
    if matches(weights.name, patterns) and not weights.exists():
        clone(download(), weights)
    return folder


def _suffix(uri: str) -> str:
    return PurePosixPath(unquote(urlsplit(uri).path)).suffix.lower()


def _configuration(entry: Entry, reference: str) -> dict[str, Any]:
    """The configuration as JSON, or in HOCON, which the SDK writes for a dict."""
    text = entry.configuration.strip()
    if not text:
        raise SourceError(
            f"{reference} is one file of weights without a configuration; register the model folder as a zip, or set "
            "config.json as the model's configuration (config_text)"
        )
    try:
        parsed = json.loads(text) if text.startswith("{") else _hocon(text)
    except ValueError as error:
        raise SourceError(
            f"the configuration of {reference} cannot be read; set the text of config.json as the model's "
            "configuration (config_text)"
        ) from error
    return dict(parsed)


def _hocon(text: str) -> dict[str, Any]:
    """ValueError for text with escapes: the SDK writes a character such as "\u00ed" and does not read it back."""
    from clearml.utilities.config import text_to_config_dict

    if "\\" in text:
        raise ValueError("escapes")
    return dict(text_to_config_dict(text))
