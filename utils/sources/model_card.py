"""The licence that a model card states: `license` in the front matter of README.md.

The form: https://huggingface.co/docs/hub/model-cards
"""

from pathlib import Path

MODEL_CARD = "README.md"


def licence_of(folder: Path) -> str:
    """The licence as the card writes it, such as "apache-2.0"; `license_name` for "other"; "" if none is stated."""
    try:
        text = (folder / MODEL_CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return ""
    values = _front_matter(text)
    stated = values.get("license")
    if stated == "other":
        stated = values.get("license_name") or stated
    stated = stated[0] if isinstance(stated, list) and len(stated) == 1 else stated
    return stated.strip() if isinstance(stated, str) else ""


def _front_matter(text: str) -> dict[str, object]:
    import yaml

    first, _, rest = text.partition("\n")
    front, mark, _ = rest.partition("\n---")
    if first.strip() != "---" or not mark:
        return {}
    try:
        values = yaml.safe_load(front)
    except (yaml.YAMLError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
