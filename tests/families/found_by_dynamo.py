"""What the walk of transformers 5 found, as the table utils/sources/types_of_dynamo.json."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from utils.sources.supported_types import FOUND as FILE

CLASSIFICATION = "text-classification"
Found = Mapping[tuple[str, str], Mapping[str, Any]]


def lines(printed: str) -> tuple[dict[str, list[str]], dict[tuple[str, str], dict[str, Any]]]:
    """The types of each task, and {(task, type): what became of it}, from what tests.families.by_dynamo prints."""
    first, *rest = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return first["every"], {(line["task"], line["type"]): line for line in rest}


def table(every: Mapping[str, Iterable[str]], found: Found, known_to_4: Iterable[str]) -> dict[str, Any]:
    """The content of the file, from a whole walk.

    A type that cannot be served for text classification is refused for the other tasks, too: its layers are the same.
    """
    tasks = {task: _of_task(task, names, found) for task, names in every.items()}
    types = {name for names in every.values() for name in names}
    return {"only_version_5": " ".join(sorted(types - {*known_to_4})), "tasks": tasks}


def _of_task(task: str, names: Iterable[str], found: Found) -> dict[str, Any]:
    refused = {name: why for name in names if (why := _why(task, name, found))}
    served = [name for name in names if name not in refused]
    single = [name for name in served if _walked(task, name, found).get("rows") == 1]
    return {"served": " ".join(served), "single": " ".join(single), "refused": refused}


def _why(task: str, name: str, found: Found) -> str:
    own, walked = found[task, name], _walked(task, name, found)
    return str(walked.get("refused") or own.get("refused") or "")


def _walked(task: str, name: str, found: Found) -> Mapping[str, Any]:
    """The conversion that stands for a type's layers."""
    return found.get((CLASSIFICATION, name), found[task, name])


def tasks() -> dict[str, Any]:
    """{task: what the file has of it}, as it is now."""
    return dict(json.loads(FILE.read_text(encoding="utf-8"))["tasks"])


def served(task: str) -> list[str]:
    """The types that the file has for a task."""
    return str(tasks()[task]["served"]).split()


def only_version_5() -> list[str]:
    """The types that transformers 4 lacks, as in the file."""
    return str(json.loads(FILE.read_text(encoding="utf-8"))["only_version_5"]).split()


def write(content: Mapping[str, Any]) -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
