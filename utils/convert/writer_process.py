"""A process of the library version that wrote a checkpoint: it answers one request with arrays."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from utils import ROOT
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
            "packages": [
                *(map(str, behind.site_packages) if behind else ()),
                str(Path(torch.__file__).parent.parent),
            ],
        }
        np.savez(file, **(arrays or {}))
        answer = _answer(python, content, writer)
        with np.load(file) as answers:
            return answer["version"], dict(answers)


def _answer(python: Path, content: Mapping[str, Any], writer: str) -> dict[str, str]:
    command = [str(python), "-I", str(ROOT / "utils" / "launch.py"), "utils.convert.version_5_child"]
    done = subprocess.run(
        children.with_parent_death_signal(command),
        input=json.dumps(content),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = dict(json.loads(done.stdout))
    except ValueError:
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SourceError(
            f"the process of {writer} ended with status {done.returncode} and without answers ({last_line}); "
            "if the machine is short of memory or disk, free some and run the same command again"
        ) from None
    if "refused" in answer:
        raise SourceError(answer["refused"])
    if "error" in answer:
        raise SourceError(
            f"{writer}, which wrote the checkpoint, cannot load it or answer: {answer['error']}; save the model and "
            "its tokenizer again"
        )
    return answer
