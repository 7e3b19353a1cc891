"""Stage 6, second half: configs, component files and artifacts become a model repository."""

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
    """Writes the model repository `destination` (which must not exist yet), whole and checked or not at all."""
    if destination.exists():
        raise RenderError(f"{str(destination)!r} exists already; name a folder without a model_repository in it")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".assemble-", dir=destination.parent) as private:
        repository = Path(private) / destination.name
        for step in pipeline.steps:
            _place_step(pipeline, step, repository / _plain(step.model_name))
        if pipeline.layout == "ensemble":  # in the others the served model is a step
            _place_config(repository / _plain(pipeline.model_name), render_ensemble(pipeline))
            (repository / pipeline.model_name / MODEL_VERSION).mkdir()
        _open_to_all(repository)
        check_repository(repository, pipeline.model_name)
        repository.rename(destination)
    return destination


def _plain(name: str) -> str:
    """A context.json may be edited by hand: a name in it must not lead out of the repository."""
    if name in ("", ".", "..") or Path(name).name != name:
        raise RenderError(f"context.json names {name!r}, which is no plain file name; nothing was written")
    return name


def _place_step(pipeline: Pipeline, step: Step, folder: Path) -> None:
    _place_config(folder, render_step(pipeline, step))
    version = folder / _plain(str(step.version))
    source = COMPONENTS_ROOT / step.component / "1"
    if source.is_dir():
        # Links in a component (a file it shares with another) become files: the repository stands by itself.
        shutil.copytree(source, version, ignore=SKIPPED, symlinks=False)
    version.mkdir(exist_ok=True)
    for name, path in step.files.items():
        _place_file(path, version / _plain(name))
    for name, document in step.documents.items():
        (version / _plain(name)).write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for number, files in step.earlier.items():
        (folder / _plain(number)).mkdir()
        for name, path in files.items():
            _place_file(path, folder / number / _plain(name))


def _place_config(folder: Path, config: str) -> None:
    folder.mkdir(parents=True)
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")


def _place_file(source: Path, destination: Path) -> None:
    if not source.is_file():
        raise RenderError(f"{str(source)!r}, which context.json names, does not exist; build the tree anew")
    place(source, destination)


def _open_to_all(repository: Path) -> None:
    """The server runs as another user than the builder, whatever the builder's umask."""
    for path in [repository, *repository.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
