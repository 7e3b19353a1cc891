"""context.json: the only file passed from the conversion to the stages that render, prove and build."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from utils.host import json_values
from utils.host.errors import RenderError
from utils.host.plain_file import read_plain
from utils.repository.pipeline import Pipeline

FORMAT = 1
CONTEXT_FILE = "context.json"
GOLDEN_FILE = "golden.json"
API_FILE = "api.json"
API_REQUIREMENTS = Path("requirements/api.txt")


@dataclass(frozen=True, kw_only=True)
class Context:
    """The input of stages 6 to 8. File paths are absolute here, and relative to context.json in the file.

    `docker` holds triton_image, slim_image, runtime and python, and with --platform also platform; `further` are the
    same for the other platforms of an index. `oci_labels` are set on the image unchanged. `api` are the rows of
    targets/apis.py that the image has.
    """

    pipeline: Pipeline
    image: str
    device: str
    docker: Mapping[str, str]
    oci_labels: Mapping[str, str]
    further: tuple[Mapping[str, str], ...] = ()
    api: tuple[str, ...] = ()

    @property
    def requirements(self) -> tuple[Path, ...]:
        """Requirements files beside the usual ones, relative to the project. Not every component has one."""
        steps = self.pipeline.steps
        of_steps = (Path("model_repository", step.component, name) for step in steps for name in step.requirements)
        return (*of_steps, *([API_REQUIREMENTS] if self.api else []))


def write_context(context: Context, folder: Path) -> Path:
    """Writes `folder`/context.json."""
    content = {"format": FORMAT, **json_values.converter(folder).unstructure(context)}
    path = folder / CONTEXT_FILE
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_context(path: Path) -> Context:
    """The context in a file, as written by this version or an earlier one; RenderError (exit 6) with all its faults."""
    try:
        content = json.loads(read_plain(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, a number too long
        raise RenderError(
            f"context {str(path)!r} cannot be read: {error}; name the context.json of a build tree"
        ) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise RenderError(f"context {str(path)!r} is not a context.json of format {FORMAT}; rebuild the tree")
    try:
        return json_values.converter(path.parent.resolve()).structure(content, Context)
    except json_values.invalid() as error:
        raise RenderError(
            f"context {str(path)!r} is not valid ({json_values.reason(error)}); rebuild the tree"
        ) from error
