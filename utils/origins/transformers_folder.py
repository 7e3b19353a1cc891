"""A model as save_pretrained() wrote it: exported, and held against PyTorch."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils import graph_cache, kept_conversion
from utils.asked_models import AskedModel
from utils.build_spec import BuildSpec
from utils.faults import naming
from utils.golden import GoldenAnswers
from utils.mapped_tables import with_mapped_tables
from utils.origins.origin import Converted, Origin
from utils.pipeline import Graph, Pipeline
from utils.plan import settle
from utils.progress import note
from utils.sources import Metadata, fetch_metadata, fetch_model
from utils.tasks.task import Settings

if TYPE_CHECKING:
    from utils.convert_to_onnx import Conversion


@dataclass(frozen=True, kw_only=True)
class TransformersFolder:
    """See utils/origins/origin.py."""

    spec: BuildSpec
    known: Metadata
    settings: Settings
    downloads: Path

    @property
    def weights(self) -> Path:
        """Where they lie on this disk, if they do."""
        return self.known.config.file.parent

    def predict(self) -> Graph:
        """The graph as it will be served."""
        from utils.convert_to_onnx import predict

        return predict(self.known.config, self.spec.task, self.spec.form)

    def fetch(self) -> Path:
        """The model's folder, weights included."""
        if graph_cache.find(self._key, checked=self._checked) and self._may_be_kept:
            return self.weights  # nothing of them is needed
        return fetch_model(self.spec.sources, self.known, self.downloads)

    def convert(self, source: Path, destination: Path) -> Converted:
        """See Origin. A kept conversion of the same model is taken as it is."""
        conversion = self._kept(destination) or self._converted(source, destination)
        frozen = conversion.tokenizer
        return Converted(
            graph=conversion.graph,
            tokenizer={"tokenizer_file": frozen.file, "tokenization": frozen.settings},
            golden=lambda pipeline, _: self._golden(conversion, pipeline),
        )

    @property
    def _key(self) -> str:
        return kept_conversion.key_of(self.spec, self.known, self.settings)

    @property
    def _checked(self) -> int:
        return kept_conversion.checked_rows(self.spec.max_batch_size)

    @property
    def _may_be_kept(self) -> bool:
        """What --eval-file asks for is to be measured and said."""
        return not self.spec.no_cache and self.spec.reduction.eval_file is None

    def _kept(self, destination: Path) -> "Conversion | None":
        content = graph_cache.take(self._key, destination, checked=self._checked) if self._may_be_kept else None
        if content is None:
            return None
        note("taken from the cache of conversions, checked when it was made; --no-cache converts anew")
        return kept_conversion.from_content(content, destination)

    def _converted(self, source: Path, destination: Path) -> "Conversion":
        from utils.convert_to_onnx import Wanted, answered, convert

        if source == self.weights:  # a kept one was counted on, and is damaged
            source = fetch_model(self.spec.sources, self.known, self.downloads)
        wanted = Wanted(
            task=self.spec.task,
            release=self.spec.release,
            max_batch_size=self.spec.max_batch_size,
            max_length=self.spec.max_length,
            form=self.spec.form,
            labels=self.known.label_texts,
            settings=self.settings,
            reduction=self.spec.reduction,
            engine=self.spec.engine.name,
        )
        with naming(self.known.fetched):
            conversion = answered(convert(source, self.known.tokenizer.path, destination, wanted), wanted)
        conversion = replace(conversion, graph=with_mapped_tables(conversion.graph))
        graph_cache.keep(self._key, kept_conversion.files_of(conversion), kept_conversion.as_content(conversion))
        return conversion

    def _golden(self, conversion: "Conversion", pipeline: Pipeline) -> GoldenAnswers:
        from utils.golden_answers import golden_answers

        return golden_answers(self.spec, self.settings, conversion, pipeline, self.known.label_texts)


def look(spec: BuildSpec, model: AskedModel, folder: Path) -> Origin:
    """Fetches the small files of the model and its tokenizer, and checks them."""
    del model  # the spec's own sources: only the served model is of this kind
    known = fetch_metadata(spec.sources, folder)
    return TransformersFolder(spec=spec, known=known, settings=settle(spec, known), downloads=folder)
