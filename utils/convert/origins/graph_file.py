"""A ready graph, ONNX or converted from TensorFlow: served as it is, proven against ONNX Runtime."""

import glob
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.convert.onnx.ready_graph import GRAPH_FILE, OnnxGraph, read_onnx, require_external_files, require_loadable
from utils.convert.onnx.served_copy import declare_outputs, serve_scalars
from utils.convert.origins import FROZEN_SUFFIX, GRAPH_SUFFIXES, frozen_graph
from utils.convert.origins.origin import Origin, Request, RequestedModel
from utils.convert.task import pipeline_of
from utils.convert.types import ServedGraph, Settings
from utils.host import digest
from utils.host.errors import SourceError
from utils.host.link_or_copy import clone
from utils.host.progress import note
from utils.repository.pipeline import Graph
from utils.sources.known_keys.judge import warn_of_unused
from utils.sources.labels import Labels, read_labels
from utils.sources.requirements import Sources
from utils.sources.storage import METADATA, StorageRef, bounded, local

# The newest opset that tf2onnx writes.
FROZEN_OPSET = 18
PATTERNS = tuple(f"*{suffix}" for suffix in GRAPH_SUFFIXES)


@dataclass(frozen=True, kw_only=True)
class KnownGraph:
    """What is read from a graph, and its revision. It has no adapter and no model card."""

    graph: OnnxGraph
    revisions: dict[str, str]
    labels: Labels | None = None
    references: Mapping[str, StorageRef] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)

    @property
    def label_texts(self) -> tuple[str, ...]:
        """() for a task without."""
        return self.labels.texts if self.labels else ()

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """What the report says of the model: {part: {name: value}}."""
        graph = self.graph
        return {"model": {"graph": graph.file.name, "opset": graph.opset, "ir_version": graph.ir_version}}


@dataclass(frozen=True, kw_only=True)
class GraphFile:
    """See origin.py."""

    request: Request
    model: RequestedModel
    known: KnownGraph
    downloads: Path

    @property
    def settings(self) -> Settings:
        """The settings of the steps around the graph; {} if it is served as it is."""
        pipeline = pipeline_of(self.request.source.task)
        return pipeline.settings(self.request.source.options) if pipeline else {}

    @property
    def batching(self) -> bool:
        """False if steps around the graph pass whole shapes."""
        return pipeline_of(self.request.source.task) is None

    @property
    def weights(self) -> Path:
        """The file, if it is on this disk."""
        return self.known.graph.file

    def predict(self) -> Graph:
        """The graph as it will be served."""
        batched = self.batching and self.known.graph.may_be_batched
        return self.known.graph.served(Path(GRAPH_FILE), batched=batched)

    def fetch(self) -> Path:
        """The graph's file; external weights of a remote graph are fetched now."""
        graph, reference = self.known.graph, self.model.reference
        if reference.scheme == "local" or not graph.external_files:
            return graph.file
        patterns = (*PATTERNS, *map(glob.escape, graph.external_files))
        revision, limit = self.known.revisions["model"], self.request.source.sources.fetch_timeout
        folder = bounded.fetch(reference, revision, patterns, self.downloads, limit=limit).path
        return folder / graph.file.name

    def convert(self, source: Path | None, destination: Path) -> ServedGraph:
        """See Origin."""
        from utils.convert.onnx.golden import ask_graph

        assert source  # no graph is kept between builds
        read = read_onnx(source)
        require_external_files(read)
        destination.mkdir(parents=True, exist_ok=True)
        for name in read.external_files:
            clone(source.parent / name, destination / name)
        file = Path(shutil.copyfile(source, destination / GRAPH_FILE))  # edited below, whatever the mode of the source
        proven = ask_graph(read, self.model.golden_inputs, batching=self.batching)
        declare_outputs(proven.graph, file)
        serve_scalars(proven.graph, file)
        note(f"{source.name}: {len(proven.pairs)} golden requests answered by ONNX Runtime itself")
        return ServedGraph(graph=proven.graph.served(file, batched=proven.batched), golden=proven.pairs)


def inspect_model(request: Request, name: str, folder: Path) -> Origin:
    """Reads the graph and checks that the release's ONNX Runtime loads it; a remote graph is fetched for that."""
    source = request.source
    model, limit = source.models.by_name[name], source.sources.fetch_timeout
    reference = model.reference
    is_local = reference.scheme == "local"
    revision = "" if is_local else bounded.resolve(reference, limit=limit)
    fetched = bounded.fetch(reference, revision, PATTERNS, folder, limit=limit)
    file = _only_graph(fetched.path, str(reference))
    frozen = file.suffix.lower() == FROZEN_SUFFIX
    graph = read_onnx(_converted(file, folder, request.target.release.opset, model) if frozen else file)
    require_loadable(graph, request.target.release)
    if is_local:
        require_external_files(graph)
        revision = _digest([file, *(file.parent / each for each in graph.external_files)])
    note(f"{name}: {reference} is revision {revision}")
    revisions, labels = {"model": revision}, None
    if source.task.takes_labels and name == source.models.name:
        labels, revisions["labels"] = _labels(source.sources, folder)
    if name == source.models.name:
        warn_of_unused(source.sources.requirements.accept_unknown, labels.accepted if labels else ())
    known = KnownGraph(graph=graph, revisions=revisions, labels=labels)
    return GraphFile(request=request, model=model, known=known, downloads=folder)


def _converted(file: Path, folder: Path, opset: int, model: RequestedModel) -> Path:
    """A frozen TensorFlow graph converted to ONNX, which has the tensors' types and shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    destination = folder / f"{file.stem}.onnx"
    opset = min(opset, FROZEN_OPSET)
    return frozen_graph.convert(file, destination, inputs=model.inputs, outputs=model.outputs, opset=opset)


def _labels(sources: Sources, folder: Path) -> tuple[Labels, str]:
    """The labels of the task's steps, and their revision."""
    reference, limit = sources.labels, sources.fetch_timeout
    assert reference  # options/build_spec.py requires it
    revision = bounded.resolve(reference, limit=limit)
    fetched = bounded.fetch(reference, revision, METADATA, folder / "labels", limit=limit)
    note(f"labels: {reference} is revision {revision}")
    return read_labels(fetched.path, requirements=sources.requirements), revision


def _digest(files: list[Path]) -> str:
    """The file's digest, or a digest of the file and its external weights."""
    own, *others = [local.resolve(str(file)) for file in files]
    together = digest.of_text("\n".join([own, *others]))[:16]
    return f"sha256:{together}" if others else own


def _only_graph(path: Path, reference: str) -> Path:
    """The file, or the only graph in a folder, or its model.onnx."""
    if not path.is_dir():
        return path
    found = next(filter(None, (sorted(path.glob(pattern)) for pattern in PATTERNS)), [])
    chosen = [file for file in found if file.name == GRAPH_FILE] or found
    if len(chosen) != 1:
        listed = f"several graphs ({', '.join(file.name for file in found)})" if found else "no graph (*.onnx, *.pb)"
        raise SourceError(
            f"{reference!r} holds {listed}; name one graph or a folder with one in it, or, of a Hugging Face "
            "model, its TOKENIZER, too"
        )
    return chosen[0]
