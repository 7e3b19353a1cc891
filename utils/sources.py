"""Stage 2: the three references of a build become folders on this disk, small files first, weights last."""

from dataclasses import dataclass
from pathlib import Path

from utils.errors import SourceError
from utils.labels import Labels, labels_of_config, read_labels
from utils.model_config import ModelConfig, read_model_config, require_weights
from utils.progress import note
from utils.storage import METADATA, WEIGHTS, FetchedArtifact, Sources, StorageRef, bounded, local


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """All that is known before any weights are fetched. `revisions`: {"model" | "tokenizer" | "labels": revision}."""

    config: ModelConfig
    tokenizer: FetchedArtifact
    labels: Labels
    revisions: dict[str, str]


def fetch_metadata(spec: Sources, folder: Path) -> Metadata:
    """Resolves every reference, fetches the small files below `folder` and checks them. Errors are SourceErrors."""
    known: dict[StorageRef, FetchedArtifact] = {}

    def fetch(name: str, reference: StorageRef) -> FetchedArtifact:
        if reference not in known:
            revision = bounded.resolve(reference, limit=spec.fetch_timeout)
            note(f"{name}: {reference} is revision {revision}")
            known[reference] = bounded.fetch(reference, revision, METADATA, folder / name, limit=spec.fetch_timeout)
        return known[reference]

    model = fetch("model", spec.model)
    config = read_model_config(model.path)
    tokenizer = fetch("tokenizer", spec.tokenizer)
    revisions = {"model": model.revision, "tokenizer": tokenizer.revision}
    if spec.labels is None:
        labels = labels_of_config(config.file, head_size=config.head_size)
    else:
        fetched = fetch("labels", spec.labels)
        revisions["labels"] = fetched.revision
        labels = read_labels(fetched.path, head_size=config.head_size)
    return Metadata(
        config=config,
        tokenizer=tokenizer,
        labels=labels,
        revisions=revisions,
    )


def fetch_model(spec: Sources, metadata: Metadata, folder: Path) -> Path:
    """The model's folder, weights included. The destination is that of its small files: a storage re-uses them."""
    fetched = bounded.fetch(
        spec.model, metadata.revisions["model"], METADATA + WEIGHTS, folder / "model", limit=spec.fetch_timeout
    )
    require_weights(fetched.path)
    return fetched.path


def require_local(spec: Sources) -> None:
    """SourceError for a path that does not exist: told before anything is installed or asked for over a network."""
    named = {"MODEL": spec.model, "TOKENIZER": spec.tokenizer, "ID2LABEL": spec.labels}
    for argument, reference in named.items():
        if reference is not None and reference.scheme == "local":
            try:
                local.fetch(reference.locator, "", (), Path())
            except SourceError as error:
                raise SourceError(f"{argument} {error}") from error
