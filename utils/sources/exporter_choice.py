"""Chooses the exporter of a model: the option's, or the first that can compute all of its settings."""

from pathlib import Path

from utils.host.errors import SourceError
from utils.host.json_file import read_json_object
from utils.sources.config_of_version_5 import for_version_4
from utils.sources.known_keys.folder import unread_in_model
from utils.sources.supported_types import converts, require_supported
from utils.targets.exporters import DYNAMO, OPTIMUM


def choose_exporter(folder: Path, export_task: str, requested: str | None) -> str:
    """A row of targets/exporters.py for `folder`/config.json; ExportError (4) for a type that it cannot convert.

    Without an option it is optimum, unless transformers 4 lacks the type or a setting that transformers 5 wrote.
    """
    file = folder / "config.json"
    content = read_json_object(file, "save the model again")
    model_type = str(content.get("model_type"))
    if requested is None:
        both = converts(DYNAMO, model_type, export_task) and converts(OPTIMUM, model_type, export_task)
        requested = DYNAMO if both and _needs_version_5(folder, content) else None
    return require_supported(model_type, export_task, requested)


def _needs_version_5(folder: Path, content: dict[str, object]) -> bool:
    """Whether transformers 5 wrote a setting into config.json that transformers 4 cannot compute or does not know."""
    try:
        for_version_4(content, "config.json")
    except SourceError:
        return True
    if not str(content.get("transformers_version", "")).startswith("5."):
        return False
    return bool(_refused(folder, OPTIMUM) - _refused(folder, DYNAMO))


def _refused(folder: Path, exporter: str) -> set[str]:
    unread = unread_in_model(folder, sentences=False, exporter=exporter)
    return {each.setting.name for each in unread if each.refused}
