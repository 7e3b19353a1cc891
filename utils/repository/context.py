"""context.json: the single hand-over between the stages that convert and those that render, prove and build."""

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
    """What stages 6 to 8 need. File paths are absolute here, and relative to context.json in the file.

    `docker` holds triton_image, slim_image and runtime; `oci_labels` go on the image as they are.
    """

    pipeline: Pipeline
    image: str
    device: str
    docker: Mapping[str, str]
    oci_labels: Mapping[str, str]

    @property
    def requirements(self) -> tuple[Path, ...]:
        """The files, below model_repository/, that say what the steps import; not every component has one."""
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
    """The context in a file; RenderError (exit 6) when it is not one, naming everything that is missing or wrong."""
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
        raise RenderError(f"context {str(path)!r} is not of this project's form ({error!r}); build it anew") from error


def _check_keys(content: Any, path: Path) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RenderError(f"context {str(path)!r} is not a context.json of format {FORMAT}; build it anew")
    if not isinstance(content.get("pipeline", {}), dict):
        raise RenderError(f"context {str(path)!r} holds no pipeline; build it anew")
    needed = {"": Context, "pipeline": Pipeline}
    missing = [f"{at}.{name}".lstrip(".") for at, kind in needed.items() for name in _absent(content, at, kind)]
    if missing:
        raise RenderError(f"context {str(path)!r} lacks {', '.join(missing)}; build it anew")


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
    """A step as written by this version or one before: what it lacks has its default."""
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
