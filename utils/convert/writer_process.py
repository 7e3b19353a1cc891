"""A process of the library version that wrote a checkpoint: it answers one request with arrays."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from utils.host import children, environment
from utils.host.environments import Environment
from utils.host.errors import SourceError, UsageError


def ask(
    place: Environment,
    request: Mapping[str, Any],
    arrays: Mapping[str, Any] | None = None,
    *,
    writer: str,
    action: str,
    behind: Environment | None = None,
) -> tuple[str, dict[str, np.ndarray]]:
    """The version that answered, and its arrays by name (see version_5_child.py for `action`, `request` and `arrays`).

    `behind`: an environment whose packages are added to those of `place`. `writer`: library and version in messages.
    SourceError (exit 3) if an environment cannot be made, or the library cannot load the checkpoint or answer.
    """
    import torch

    try:
        python = environment.ensure(place)
        if behind:
            environment.ensure(behind)
    except UsageError as error:
        raise SourceError(
            f"the checkpoint was written by {writer}, and the environment that compares with its answers cannot be "
            f"made: {error}"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "arrays.npz"
        content = {
            "action": action,
            "request": request,
            "arrays": str(file),
            "packages": [*map(str, behind.site_packages if behind else ()), str(Path(torch.__file__).parent.parent)],
        }
        np.savez(file, **(arrays or {}))
        version = _answering_version(python, content, writer)
        with np.load(file) as answers:
            return version, dict(answers)


def _answering_version(python: Path, content: Mapping[str, Any], writer: str) -> str:
    try:
        answer = children.ask(python, "utils.convert.version_5_child", content)
    except children.NoAnswerError as error:
        raise SourceError(
            f"the process of {writer} ended without answers: {error}; if the machine is short of memory or disk, "
            "free some and run the same command again"
        ) from None
    if "refused" in answer:
        raise SourceError(answer["refused"])
    if "error" in answer:
        raise SourceError(
            f"{writer}, which wrote the checkpoint, cannot load it or answer: {answer['error']}; save the model and "
            "its tokenizer again"
        )
    return str(answer["version"])
