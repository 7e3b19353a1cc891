"""Stage 6, second half: assembles configs, component files and artifacts to a model repository."""

import json
import shutil
import tempfile
from pathlib import Path

from utils.host.errors import RenderError
from utils.repository.check import check_repository
from utils.repository.pipeline import Pipeline, Step
from utils.repository.render import COMPONENTS_ROOT, render_ensemble, render_step
from utils.repository.version_files import place

MODEL_VERSION = "1"
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.template")


def assemble(pipeline: Pipeline, destination: Path) -> Path:
    """Writes and checks the model repository `destination`, which must not exist. After an error nothing is left."""
    if destination.exists():
        raise RenderError(f"{str(destination)!r} already exists; name a folder that has no model_repository")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".assemble-", dir=destination.parent) as private:
        repository = Path(private) / destination.name
        for step in pipeline.steps:
            _place_step(pipeline, step, repository / _file_name(step.model_name))
        if pipeline.layout == "ensemble":  # in the others the served model is a step
            _place_config(repository / _file_name(pipeline.model_name), render_ensemble(pipeline))
            (repository / pipeline.model_name / MODEL_VERSION).mkdir()
        _open_to_all(repository)
        check_repository(repository, pipeline.model_name)
        repository.rename(destination)
    return destination


def _file_name(name: str) -> str:
    """`name`, if it cannot lead out of the repository: a context.json may be edited by hand."""
    if name in ("", ".", "..") or Path(name).name != name:
        raise RenderError(f"context.json has the name {name!r}; use a file name without a folder. Nothing was written")
    return name


def _place_step(pipeline: Pipeline, step: Step, folder: Path) -> None:
    _place_config(folder, render_step(pipeline, step))
    version = folder / _file_name(str(step.version))
    source = COMPONENTS_ROOT / step.component / "1"
    if source.is_dir():
        # Symbolic links to shared files become copies, so that the repository is self-contained.
        shutil.copytree(source, version, ignore=SKIPPED, symlinks=False)
    version.mkdir(exist_ok=True)
    for name, path in step.files.items():
        _place_file(path, version / _file_name(name))
    for name, document in step.documents.items():
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        (version / _file_name(name)).write_text(text, encoding="utf-8")
    for number, files in step.earlier.items():
        (folder / _file_name(number)).mkdir()
        for name, path in files.items():
            _place_file(path, folder / number / _file_name(name))


def _place_config(folder: Path, config: str) -> None:
    folder.mkdir(parents=True)
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")


def _place_file(source: Path, destination: Path) -> None:
    if not source.is_file():
        raise RenderError(f"{str(source)!r}, named in context.json, does not exist; rebuild the tree")
    place(source, destination)


def _open_to_all(repository: Path) -> None:
    """Makes the repository readable for all, because the server runs as another user than the builder."""
    for path in [repository, *repository.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
