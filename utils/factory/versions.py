"""Versions of the served model: those of earlier builds are kept and proven again.

All versions share one config, so they must have the same inputs and outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from utils.host import build_tree
from utils.host.errors import RenderError, UsageError
from utils.options.build_spec import BuildSpec
from utils.proof.golden import GoldenAnswers, GoldenRow
from utils.proof.golden_file import read_golden, write_golden
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, read_context
from utils.repository.pipeline import Pipeline, Step
from utils.repository.version_files import is_graph, place_again
from utils.repository.version_policy import VersionPolicy

# Golden answers of versions that the policy does not serve; another policy may serve them again.
HIDDEN_FILE = "golden_hidden.json"


@dataclass(frozen=True, kw_only=True)
class Former:
    """The build tree whose versions are kept: its served model, and the golden rows of its versions."""

    folder: Path
    step: Step
    rows: tuple[GoldenRow, ...]
    versions: tuple[int, ...]

    def version_folder(self, version: int) -> Path:
        """The folder of a version's files."""
        return self.folder / "model_repository" / self.step.model_name / str(version)


@dataclass(frozen=True, kw_only=True)
class Versions:
    """The versions of the served model after this build. `former` None: only the new one."""

    version: int
    former: Former | None
    policy: VersionPolicy | None

    @property
    def kept(self) -> tuple[int, ...]:
        """The earlier versions that are kept; the new one replaces one of the same number."""
        return tuple(each for each in self.former.versions if each != self.version) if self.former else ()

    @property
    def served(self) -> set[int]:
        """The served versions. Without a policy all are served; Triton's default would serve the latest only."""
        return (self.policy or VersionPolicy()).served([*self.kept, self.version])

    def copied_bytes(self) -> int:
        """Bytes of the kept versions if the file system does not share blocks."""
        folders = [self.former.version_folder(each) for each in self.kept] if self.former else []
        files = (file for folder in folders for file in folder.glob("*"))
        return sum(file.stat().st_size for file in files if not is_graph(file))

    def add_to(self, pipeline: Pipeline, folder: Path) -> Pipeline:
        """The pipeline with all versions of the served model; `folder` holds the files of earlier ones.

        RenderError if the new version has other tensors than the kept ones.
        """
        first, *rest = pipeline.steps
        if first.model_name != pipeline.model_name:
            return pipeline  # an ensemble: its steps have one version each
        policy = self.policy or (VersionPolicy() if self.kept else None)
        earlier: Mapping[str, Mapping[str, Path]] = {}
        if self.former and self.kept:
            _require_alike(first, self.former.step, self.version)
            earlier = {str(each): _keep(self.former, each, folder) for each in self.kept}
        first = replace(first, version=self.version, version_policy=str(policy) if policy else "", earlier=earlier)
        return replace(pipeline, steps=(first, *rest))

    def write_golden(self, golden: GoldenAnswers, pipeline: Pipeline, folder: Path) -> None:
        """Writes golden.json for the served versions, and HIDDEN_FILE for the others."""
        if not self.kept or self.former is None:
            write_golden(golden, folder)
            return
        name = pipeline.model_name
        new = [replace(row, version=self.version) if row.model == name else row for row in golden.rows]
        rows = [*new, *(row for row in self.former.rows if row.version in self.kept)]
        hidden = [row for row in rows if row.model == name and row.version not in self.served]
        shown = [row for row in rows if row not in hidden]
        write_golden(replace(golden, rows=tuple(shown)), folder)
        if hidden:
            write_golden(replace(golden, rows=tuple(hidden)), folder, HIDDEN_FILE)


def inspect_versions(spec: BuildSpec) -> Versions:
    """The versions after this build; UsageError if the new version cannot join the kept ones."""
    versions = Versions(
        version=spec.serving.model_version or 1,
        former=_former(spec) if spec.serving.model_version or spec.serving.versions_of else None,
        policy=spec.serving.version_policy,
    )
    available = {*versions.kept, versions.version}
    if unknown := sorted(versions.served - available):
        raise UsageError(
            f"--version-policy serves version {unknown[0]}, which does not exist; versions: {_listed(available)}"
        )
    if versions.version not in versions.served:
        raise UsageError(
            f"--version-policy does not serve version {versions.version}, which this build makes and must prove; "
            f"versions: {_listed(available)}"
        )
    return versions


def _former(spec: BuildSpec) -> Former | None:
    name, tag = spec.serving.model_name, spec.serving.versions_of
    folder = build_tree.BUILD / name / (tag or spec.output.tag)
    if not (folder / CONTEXT_FILE).is_file():
        if tag:
            raise UsageError(
                f"--versions-of {tag!r}: {str(folder)!r} is no build of {name!r}; give the TAG of one, or build that "
                "first"
            )
        return None
    pipeline = read_context(folder / CONTEXT_FILE).pipeline
    first, *rest = pipeline.steps
    if first.model_name != pipeline.model_name:
        raise UsageError(f"{str(folder)!r} serves an {pipeline.layout}, which has no versions; choose another TAG")
    lost = sorted({step.model_name for step in rest} - set(spec.source.models.by_name))
    if lost:
        raise UsageError(f"{str(folder)!r} also serves {lost[0]!r}; give it again with --add-model {lost[0]}=FILE")
    if first.max_batch_size not in (0, spec.serving.max_batch_size):
        raise UsageError(
            f"MAX_BATCH_SIZE is {spec.serving.max_batch_size}, and the versions in {str(folder)!r} have "
            f"{first.max_batch_size}; versions share one config: give the same"
        )
    versions = (first.version, *map(int, first.earlier))
    return Former(folder=folder, step=first, rows=_rows(folder, first), versions=tuple(sorted(versions)))


def _rows(folder: Path, step: Step) -> tuple[GoldenRow, ...]:
    """The golden rows of the served model, each with its version. BootProofError if the file is missing."""
    golden = [read_golden(folder / GOLDEN_FILE)]
    if (folder / HIDDEN_FILE).is_file():
        golden.append(read_golden(folder / HIDDEN_FILE))
    rows = (row for each in golden for row in each.rows if row.model == step.model_name)
    return tuple(replace(row, version=row.version or step.version) for row in rows)


def _require_alike(new: Step, former: Step, version: int) -> None:
    def shown(step: Step) -> str:
        inputs, outputs = ", ".join(map(str, step.inputs)), ", ".join(map(str, step.outputs))
        return f"{inputs} -> {outputs}, max_batch_size {step.max_batch_size}, {step.component}"

    if shown(new) != shown(former):
        raise RenderError(
            f"version {version} of {new.model_name!r} is {shown(new)}, and version {former.version} is "
            f"{shown(former)}; all versions of a model share one config: build this one under a MODEL_NAME of its own"
        )


def _keep(former: Former, version: int, folder: Path) -> dict[str, Path]:
    """The files of a version, placed into this build's tree."""
    source = former.version_folder(version)
    destination = folder / "artifacts" / "versions" / str(version)
    destination.mkdir(parents=True)
    files = {}
    with build_tree.locked(former.folder):
        for file in sorted(each for each in source.iterdir() if each.is_file()):
            files[file.name] = destination / file.name
            place_again(file, files[file.name], former.folder / "artifacts")
    return files


def _listed(versions: set[int]) -> str:
    return ", ".join(map(str, sorted(versions)))
