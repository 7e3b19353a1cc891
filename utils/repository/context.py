"""context.json: the only file passed from the conversion to the stages that render, prove and build."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import RenderError
from utils.host.plain_file import read_plain
from utils.repository.pipeline import Pipeline, Step
from utils.repository.tensors import TensorSpec

FORMAT = 1
CONTEXT_FILE = "context.json"
GOLDEN_FILE = "golden.json"


@dataclass(frozen=True, kw_only=True)
class Context:
    """The input of stages 6 to 8. File paths are absolute here, and relative to context.json in the file.

    `docker` holds triton_image, slim_image, runtime and python; `oci_labels` are set on the image unchanged.
    """

    pipeline: Pipeline
    image: str
    device: str
    docker: Mapping[str, str]
    oci_labels: Mapping[str, str]

    @property
    def requirements(self) -> tuple[Path, ...]:
        """The steps' requirements files, relative to model_repository/. Not every component has one."""
        return tuple(Path(step.component, name) for step in self.pipeline.steps for name in step.requirements)


def write_context(context: Context, folder: Path) -> Path:
    """Writes `folder`/context.json."""
    content = {"format": FORMAT, **asdict(context)}
    for step in content["pipeline"]["steps"]:
        step["files"] = _relative(step["files"], folder)
        step["earlier"] = {version: _relative(files, folder) for version, files in step["earlier"].items()}
    path = folder / CONTEXT_FILE
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _relative(files: Mapping[str, Path], folder: Path) -> dict[str, str]:
    return {name: path.relative_to(folder).as_posix() for name, path in files.items()}


def read_context(path: Path) -> Context:
    """The context in a file; RenderError (exit 6) with all missing fields, or with the first invalid one."""
    try:
        content = json.loads(read_plain(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, a number too long
        raise RenderError(
            f"context {str(path)!r} cannot be read: {error}; name the context.json of a build tree"
        ) from error
    _check_keys(content, path)
    try:
        return _context(content, path.parent.resolve())
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise RenderError(f"context {str(path)!r} is not valid ({error!r}); rebuild the tree") from error


def _check_keys(content: Any, path: Path) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RenderError(f"context {str(path)!r} is not a context.json of format {FORMAT}; rebuild the tree")
    if not isinstance(content.get("pipeline", {}), dict):
        raise RenderError(f"context {str(path)!r} has no pipeline; rebuild the tree")
    required = {"": Context, "pipeline": Pipeline}
    missing = [f"{at}.{name}".lstrip(".") for at, kind in required.items() for name in _absent(content, at, kind)]
    if missing:
        raise RenderError(f"context {str(path)!r} lacks {', '.join(missing)}; rebuild the tree")


def _absent(content: dict[str, Any], at: str, kind: type) -> list[str]:
    part = content.get(at, {}) if at else content
    return [name for name in kind.__dataclass_fields__ if name not in part]  # type: ignore[attr-defined]


def _context(content: dict[str, Any], folder: Path) -> Context:
    pipeline = dict(content["pipeline"])
    pipeline["inputs"] = _tensors(pipeline["inputs"])
    pipeline["outputs"] = _tensors(pipeline["outputs"])
    pipeline["steps"] = tuple(_step(step, folder) for step in pipeline["steps"])
    names = [name for name in Context.__dataclass_fields__ if name != "pipeline"]
    return Context(pipeline=Pipeline(**pipeline), **{name: content[name] for name in names})


def _step(step: dict[str, Any], folder: Path) -> Step:
    """A step as written by this version or an earlier one, whose missing fields get their defaults."""
    changes: dict[str, Any] = {name: _tensors(step[name]) for name in ("inputs", "outputs")}
    earlier = {version: _absolute(files, folder) for version, files in step.get("earlier", {}).items()}
    gpus = tuple(map(int, step.get("gpus", ())))
    requirements = tuple(step.get("requirements", ("requirements.txt",)))
    files = _absolute(step["files"], folder)
    changes |= {"files": files, "earlier": earlier, "gpus": gpus, "requirements": requirements}
    return Step(**{**step, **changes})


def _absolute(files: Mapping[str, str], folder: Path) -> dict[str, Path]:
    return {name: folder / path for name, path in files.items()}


def _tensors(tensors: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(_tensor(**each) for each in tensors)


def _tensor(*, name: str, dtype: str, dims: list[int], reshape: list[int] | None = None) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, dims=tuple(dims), reshape=None if reshape is None else tuple(reshape))
