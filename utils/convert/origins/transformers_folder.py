"""A model as save_pretrained() wrote it: exported, and compared with PyTorch."""

from dataclasses import dataclass, replace
from pathlib import Path

from utils.convert import cache, cached_conversion
from utils.convert.evaluated import calibration_file_of, eval_file_of
from utils.convert.exporters import open_converter
from utils.convert.golden_pairs import golden_pairs
from utils.convert.onnx.mapped_tables import with_mapped_tables
from utils.convert.origins.origin import Origin, Request
from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.types import Conversion, Evaluated, ServedGraph, Settings
from utils.evaluation.calibration_file import CalibrationFile
from utils.evaluation.eval_file import EvalFile
from utils.host.exceptions import showing_references
from utils.host.progress import note
from utils.repository.pipeline import Graph
from utils.repository.served_code import load_shared
from utils.repository.tensors import TensorSpec
from utils.sources.fetch import Metadata, fetch_metadata, fetch_model


@dataclass(frozen=True, kw_only=True)
class TransformersFolder:
    """See origin.py."""

    request: Request
    task: ModelTask
    known: Metadata
    settings: Settings
    downloads: Path
    eval_file: EvalFile | None = None
    calibration_file: CalibrationFile | None = None

    @property
    def weights(self) -> Path:
        """The folder, if the weights are on this disk."""
        return self.known.weights

    def predict(self) -> Graph:
        """The graph as it will be served."""
        converter = open_converter(self.known.config.exporter)
        return converter.predict(self.known.config, self.task, self.request.target.form)

    def fetch(self) -> Path | None:
        """The model's folder, weights included; None where a kept conversion of it is there."""
        if self.request.use_cache and cache.find(self._key, checked=self._checked):
            return None
        return fetch_model(self.request.source.sources, self.known, self.downloads)

    def convert(self, source: Path | None, destination: Path) -> ServedGraph:
        """See Origin. A kept conversion of the same model is used as it is."""
        conversion = self._kept(destination) or self._converted(source, destination)
        return ServedGraph(
            graph=conversion.graph,
            golden=golden_pairs(self.task, conversion, self.request.serving.max_batch_size, self.known.label_texts),
            tolerance=conversion.tolerance,
            tokenizer=conversion.tokenizer,
            parity=conversion.parity,
            step_files=conversion.step_files,
            evaluated=Evaluated(eval_file=self.eval_file, answers=conversion.evaluated) if self.eval_file else None,
        )

    @property
    def _key(self) -> str:
        request = self.request
        return cached_conversion.key_of(
            request.source,
            self.task,
            request.target,
            self.known,
            self.settings,
            self.eval_file,
            self.calibration_file,
        )

    @property
    def _checked(self) -> int:
        return cached_conversion.checked_rows(self.request.serving.max_batch_size)

    def _kept(self, destination: Path) -> Conversion | None:
        content = cache.take(self._key, destination, checked=self._checked) if self.request.use_cache else None
        if content is None:
            return None
        note("taken from the cache of conversions, checked when it was made; --no-cache converts anew")
        return cached_conversion.from_content(content, destination)

    def _converted(self, source: Path | None, destination: Path) -> Conversion:
        if source is None:  # the kept conversion was damaged
            source = fetch_model(self.request.source.sources, self.known, self.downloads)
        spec = ConversionSpec(
            task=self.task,
            target=self.request.target,
            max_batch_size=self.request.serving.max_batch_size,
            labels=self.known.label_texts,
            settings=self.settings,
            exporter=self.known.config.exporter,
            tuned=self.known.tuned,
            eval_file=self.eval_file,
            calibration_file=self.calibration_file,
        )
        with showing_references(self.known.fetched):
            converter = open_converter(spec.exporter)
            conversion = converter.convert(source, self.known.tokenizer.path, destination, spec)
        conversion = replace(conversion, graph=with_mapped_tables(conversion.graph))
        cache.keep(self._key, cached_conversion.files_of(conversion), cached_conversion.as_content(conversion))
        return conversion


def inspect_model(request: Request, name: str, folder: Path) -> Origin:
    """Fetches the small files of the model and its tokenizer, and checks them."""
    del name  # only the served model is of this kind
    task = request.source.task
    assert isinstance(task, ModelTask)  # the origins of its row say so
    known = fetch_metadata(request.source.sources, folder)
    if known.config.setfit:
        task = replace(task, **task.variants["setfit"])
    settings = resolve_settings(request, task, known)
    return TransformersFolder(
        request=request,
        task=task,
        known=known,
        settings=settings,
        downloads=folder,
        eval_file=eval_file_of(request, task, known, settings),
        calibration_file=calibration_file_of(request, task),
    )


def resolve_settings(request: Request, task: ModelTask, known: Metadata) -> Settings:
    """The task's settings; UsageError or SourceError for what the model's config and labels do not allow."""
    settings = task.resolve_settings(known.config, known.label_texts, request.source.options)
    unknown = tuple(TensorSpec(name=name, dtype="FP32", dims=(-1, -1)) for name in task.graph_outputs)
    names = request.serving.names
    outputs = names.of_outputs(task.outputs(settings, Graph(path=Path(), inputs=(), outputs=unknown)))
    served = [tensor.name for tensor in (*names.of_inputs(task.inputs), *outputs)]
    names.require_unique(served, {*load_shared("tokenization").TENSORS, *task.graph_outputs})
    return settings
