"""Stage 2: fetches the three references of a build into local folders, small files first, weights last.

Local files are checked before the first request to a server, and each file as soon as it is fetched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.exceptions import as_written, showing_references
from utils.host.progress import note
from utils.sources.adapter import is_adapter, read_adapter, read_shapes, weights_of
from utils.sources.adapter_base import named_base, require_base
from utils.sources.checkpoint import (
    SAFE,
    SAFE_INDEX,
    Checkpoint,
    check_class,
    check_head,
    check_names,
    embedding_rows,
    read_checkpoint,
    read_index,
)
from utils.sources.known_keys.folder import unread_in_model
from utils.sources.known_keys.judge import require_understood, warn_of_unused
from utils.sources.labels import Labels, read_labels, require_count
from utils.sources.model_card import MODEL_CARD, licence_of
from utils.sources.model_config import ModelConfig, check_max_length, read_model_config
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.sentence_folder import root_of, transformer_folder
from utils.sources.sentence_modules import weight_files
from utils.sources.setfit_folder import head_files, own_labels, requirements_of, with_exporter, with_setfit
from utils.sources.storage import METADATA, SAFE_WEIGHTS, WEIGHTS, FetchedArtifact, StorageRef, bounded, local
from utils.sources.supported_types import choose_exporter
from utils.sources.tokenizer_files import TokenizerFiles, check_fit, read_tokenizer_files, warn_of_spare_ids
from utils.sources.tuned_model import TunedModel

# The card does not count for the revision of a local folder: it changes no answer.
SMALL_FILES = (*METADATA, MODEL_CARD)


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What is known before any weights are fetched. `labels` None: the task has none.

    `revisions`: {"model" | "tokenizer" | "labels" | "adapter" | "base": revision}. `vocabulary`: the tokenizer's
    largest token id plus one, if its files contain it. `fetched`: each folder with fetched files, and the reference as
    the user wrote it. `accepted`: the settings left unread because of --accept-unknown. `licences`: as the model cards
    state them. `tuned`: the model is a base with an adapter.
    """

    config: ModelConfig
    tokenizer: FetchedArtifact
    labels: Labels | None
    revisions: dict[str, str]
    vocabulary: int | None = None
    fetched: Mapping[Path, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    licences: Mapping[str, str] = field(default_factory=dict)
    tuned: TunedModel | None = None

    @property
    def weights(self) -> Path:
        """The folder with the weights, if they are on this disk."""
        return transformer_folder(self.tuned.base) if self.tuned else self.config.file.parent

    @property
    def references(self) -> Mapping[str, StorageRef]:
        """What was fetched beside the references that the options name: {"adapter" | "base": reference}."""
        return self.tuned.references if self.tuned else {}

    @property
    def label_texts(self) -> tuple[str, ...]:
        """The labels in the head's order; () for a task without."""
        return self.labels.texts if self.labels else ()

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """What a plan reports about the model, by section."""
        unread = {"unread": list(self.accepted)} if self.accepted else {}
        tuned = {name: str(reference) for name, reference in self.references.items()}
        kind = {"peft_type": self.tuned.adapter.kind} if self.tuned else {}
        return {
            "model": {"type": self.config.model_type, "exporter": self.config.exporter, **tuned, **kind, **unread},
            "task": {"problem_type": self.config.problem_type},
        }


def fetch_metadata(spec: Sources, folder: Path) -> Metadata:
    """Fetches the small files of every reference below `folder`, checks them, and resolves the exact revisions.

    Errors are SourceErrors, and ExportError for a model type that cannot be exported.
    """
    fetcher = _Fetcher(spec, folder)
    with showing_references(fetcher.fetched):
        return _checked(spec, fetcher)


def _checked(spec: Sources, fetcher: "_Fetcher") -> Metadata:
    config: ModelConfig | None = None
    files: TokenizerFiles | None = None
    labels: Labels | None = None
    accepted: set[str] = set()
    tuned: TunedModel | None = None
    for name in fetcher.nearest_first():
        path = fetcher.small_files(name)
        if name == "model" and (spec.adapter or is_adapter(path)):
            tuned = _tuned_model(spec, fetcher)
            accepted.update(tuned.adapter.accepted)
            path = tuned.folder
        path = path if name == "labels" else transformer_folder(path)
        if name == "model":
            config = _check_model(path, spec)
            sentences = requirements_of(config, spec.requirements).sentences
            doubts = unread_in_model(path, sentences=sentences, exporter=config.exporter)
            accepted.update(require_understood(doubts, spec.requirements.accept_unknown))
        elif name == "tokenizer":
            files = read_tokenizer_files(path, spec.requirements)
            accepted.update(files.accepted)
        else:
            labels = read_labels(path, requirements=spec.requirements)
            accepted.update(labels.accepted)
    assert config and files  # every build has a model and a tokenizer
    warn_of_unused(spec.requirements.accept_unknown, accepted)
    if spec.requirements.takes_labels:
        labels = labels or own_labels(config, spec.requirements)
        require_count(labels, config.head_size)
        labels = replace(labels, source=as_written(labels.source, fetcher.fetched))
    checkpoint = _weights_so_far(spec, tuned, config)
    if spec.model.scheme == "local" and not tuned:
        _check_modules(config.file.parent, config, spec)
    _check_weights(checkpoint, config, files, spec)
    warn_of_spare_ids(files, embedding_rows(checkpoint, config))
    revisions = {name: fetcher.revision(name) for name in fetcher.references}
    stated = {name: licence_of(fetcher.small_files(name)) for name in revisions if name != "labels"}
    return Metadata(
        config=config,
        tokenizer=FetchedArtifact(path=files.folder, revision=revisions["tokenizer"]),
        labels=labels,
        fetched=fetcher.fetched,
        revisions=revisions,
        vocabulary=files.vocabulary,
        accepted=tuple(sorted(accepted)),
        licences={name: licence for name, licence in stated.items() if licence},
        tuned=tuned,
    )


def _tuned_model(spec: Sources, fetcher: "_Fetcher") -> TunedModel:
    """The base and its adapter, checked; of the weights only the adapter's are fetched."""
    name, argument = ("adapter", "--adapter") if spec.adapter else ("model", "MODEL")
    if spec.adapter:
        fetcher.references["adapter"] = spec.adapter
    requirements = spec.requirements
    adapter = read_adapter(fetcher.small_files(name), argument, requirements)
    if spec.adapter:
        require_base(adapter, spec.model, partial(fetcher.revision, "base"))
    else:
        fetcher.references["base"] = named_base(adapter)
    base = fetcher.small_files("model" if spec.adapter else "base")
    of_modules = tuple(each for each in _weights(requirements) if "/" in each)
    fetcher.small_files(name, (*weights_of(allow_pickle=requirements.allow_pickle), *of_modules))
    shapes = read_shapes(adapter.folder, allow_pickle=requirements.allow_pickle)
    tuned = TunedModel(
        base=base,
        adapter=adapter,
        shapes=shapes,
        root=fetcher.folder / "merged",
        references={each: fetcher.references[each] for each in ("adapter", "base") if each in fetcher.references},
    )
    fetcher.fetched[tuned.root] = str(tuned.references.get("base", spec.model))
    tuned.make(requirements.export_task)
    return tuned


class _Fetcher:
    """Fetches each reference once, even if several arguments name it."""

    def __init__(self, spec: Sources, folder: Path) -> None:
        named = {"model": spec.model, "tokenizer": spec.tokenizer, "labels": spec.labels}
        self.references = {name: reference for name, reference in named.items() if reference is not None}
        self.folder, self._limit = folder, spec.fetch_timeout
        self._small = SMALL_FILES + head_files(spec.requirements)
        self._paths: dict[tuple[StorageRef, tuple[str, ...]], Path] = {}
        self.fetched: dict[Path, str] = {}
        self._revisions: dict[StorageRef, str] = {}

    def nearest_first(self) -> list[str]:
        """Local references first: an error in them is reported before waiting for a server."""
        return sorted(self.references, key=lambda name: self.references[name].scheme != "local")

    def small_files(self, name: str, further: tuple[str, ...] = ()) -> Path:
        """The folder with the small files of a reference, and those that match `further`."""
        reference = self.references[name]
        if (reference, further) not in self._paths:
            # A local folder's revision includes a digest of its weights, gigabytes: it is computed after all checks.
            self.fetched[self.folder / name] = str(reference)
            revision = "" if reference.scheme == "local" else self.revision(name)
            fetched = bounded.fetch(reference, revision, self._small + further, self.folder / name, limit=self._limit)
            self._paths[reference, further] = fetched.path
            if reference.scheme != "local":
                self.fetched[fetched.path] = str(reference)
        return self._paths[reference, further]

    def revision(self, name: str, reference: StorageRef | None = None) -> str:
        """The revision of a reference, which messages call `name`; by default of the one with that name."""
        reference = reference or self.references[name]
        if reference not in self._revisions:
            self._revisions[reference] = bounded.resolve(reference, limit=self._limit)
            note(f"{name}: {reference} is revision {self._revisions[reference]}")
        return self._revisions[reference]


def _check_model(folder: Path, spec: Sources) -> ModelConfig:
    config = with_setfit(read_model_config(folder), folder, spec.requirements)
    requirements = requirements_of(config, spec.requirements)
    config = with_exporter(config, choose_exporter(folder, requirements.export_task, requirements.exporter))
    check_class(config, requirements)
    check_max_length(config, requirements.max_length)
    return config


def _weights_so_far(spec: Sources, tuned: TunedModel | None, config: ModelConfig) -> Checkpoint | None:
    """The whole checkpoint if it is local; of a remote one the index, if it has one."""
    folder = transformer_folder(tuned.base) if tuned else config.file.parent
    reference = tuned.references.get("base", spec.model) if tuned else spec.model
    checkpoint = None
    if reference.scheme == "local":
        checkpoint = read_checkpoint(folder, allow_pickle=spec.requirements.allow_pickle)
    elif (folder / SAFE_INDEX).is_file() and not (folder / SAFE).exists():
        checkpoint = read_index(folder / SAFE_INDEX)
    return tuned.check(checkpoint, config) if tuned else checkpoint


def _check_weights(checkpoint: Checkpoint | None, config: ModelConfig, files: TokenizerFiles, spec: Sources) -> None:
    if checkpoint:
        check_names(checkpoint)
        check_head(checkpoint, config, requirements_of(config, spec.requirements))
    check_fit(files, embedding_rows(checkpoint, config))


def _check_modules(folder: Path, config: ModelConfig, spec: Sources) -> None:
    """SourceError for missing weights of the modules after the model."""
    if requirements_of(config, spec.requirements).sentences:
        weight_files(root_of(folder), allow_pickle=spec.requirements.allow_pickle)


def _weights(requirements: SourceRequirements) -> tuple[str, ...]:
    return WEIGHTS if requirements.allow_pickle else SAFE_WEIGHTS


def fetch_model(spec: Sources, metadata: Metadata, folder: Path) -> Path:
    """The folder with the model's weights, in the destination of its small files, which a storage reuses.

    Of a model with an adapter it is the base's folder.
    """
    config, tuned = metadata.config, metadata.tuned
    name = "base" if "base" in metadata.references else "model"
    reference = metadata.references.get("base", spec.model)
    patterns = SMALL_FILES + _weights(spec.requirements)
    fetched = bounded.fetch(reference, metadata.revisions[name], patterns, folder / name, limit=spec.fetch_timeout)
    model = transformer_folder(fetched.path)
    if tuned:
        tuned.link(fetched.path)
    with showing_references(metadata.fetched):
        checkpoint = read_checkpoint(model, allow_pickle=spec.requirements.allow_pickle)
        if reference.scheme != "local":  # a local one was checked with its metadata
            checkpoint = tuned.check(checkpoint, config) if tuned else checkpoint
            files = TokenizerFiles(folder=metadata.tokenizer.path, vocabulary=metadata.vocabulary)
            _check_weights(checkpoint, config, files, spec)
        if tuned or reference.scheme != "local":
            _check_modules(tuned.folder if tuned else model, config, spec)
    return model


def require_local(spec: Sources) -> None:
    """SourceError for a path that does not exist, before anything is installed or fetched."""
    named = {"MODEL": spec.model, "--adapter": spec.adapter, "TOKENIZER": spec.tokenizer, "ID2LABEL": spec.labels}
    require_existing(named)


def require_existing(named: Mapping[str, StorageRef | None]) -> None:
    """SourceError for a path among {argument: reference} that does not exist."""
    for argument, reference in named.items():
        if reference is not None and reference.scheme == "local":
            try:
                local.fetch(reference.locator, "", (), Path())
            except SourceError as error:
                raise SourceError(f"{argument} {error}") from error
