"""A model as save_pretrained() wrote it: exported, and held against PyTorch."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from utils.convert import cache, cached_conversion
from utils.convert.onnx.mapped_tables import with_mapped_tables
from utils.convert.origins.origin import Converted, Origin
from utils.convert.task import Settings
from utils.factory.plan import resolve_settings
from utils.host.exceptions import showing_references
from utils.host.progress import note
from utils.options.build_spec import BuildSpec
from utils.options.models import RequestedModel
from utils.proof.golden import GoldenAnswers
from utils.repository.pipeline import Graph, Pipeline
from utils.sources.fetch import Metadata, fetch_metadata, fetch_model

if TYPE_CHECKING:
    from utils.convert_to_onnx import Conversion


@dataclass(frozen=True, kw_only=True)
class TransformersFolder:
    """See utils/convert/origins/origin.py."""

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
        if cache.find(self._key, checked=self._checked) and self._may_be_kept:
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
        return cached_conversion.key_of(self.spec, self.known, self.settings)

    @property
    def _checked(self) -> int:
        return cached_conversion.checked_rows(self.spec.max_batch_size)

    @property
    def _may_be_kept(self) -> bool:
        """What --eval-file asks for is to be measured and said."""
        return not self.spec.no_cache and self.spec.reduction.eval_file is None

    def _kept(self, destination: Path) -> "Conversion | None":
        content = cache.take(self._key, destination, checked=self._checked) if self._may_be_kept else None
        if content is None:
            return None
        note("taken from the cache of conversions, checked when it was made; --no-cache converts anew")
        return cached_conversion.from_content(content, destination)

    def _converted(self, source: Path, destination: Path) -> "Conversion":
        from utils.convert_to_onnx import ConversionSpec, answered, convert

        if source == self.weights:  # a kept one was counted on, and is damaged
            source = fetch_model(self.spec.sources, self.known, self.downloads)
        wanted = ConversionSpec(
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
        with showing_references(self.known.fetched):
            conversion = answered(convert(source, self.known.tokenizer.path, destination, wanted), wanted)
        conversion = replace(conversion, graph=with_mapped_tables(conversion.graph))
        cache.keep(self._key, cached_conversion.files_of(conversion), cached_conversion.as_content(conversion))
        return conversion

    def _golden(self, conversion: "Conversion", pipeline: Pipeline) -> GoldenAnswers:
        from utils.convert.golden_answers import golden_answers

        return golden_answers(self.spec, self.settings, conversion, pipeline, self.known.label_texts)


def inspect_model(spec: BuildSpec, model: RequestedModel, folder: Path) -> Origin:
    """Fetches the small files of the model and its tokenizer, and checks them."""
    del model  # the spec's own sources: only the served model is of this kind
    known = fetch_metadata(spec.sources, folder)
    return TransformersFolder(spec=spec, known=known, settings=resolve_settings(spec, known), downloads=folder)
