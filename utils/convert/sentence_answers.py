"""The answers of sentence-transformers itself for embeddings and ranking, from the version that wrote the folder.

Version 5 has its packages in an environment of its own, and this process adds them behind the factory's: torch and
transformers stay those of the conversion. Version 6 needs transformers 5 and runs in a process of its own.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from utils.convert import writer_process
from utils.convert.reference_model import runs_version_5, tokenizer_arrays
from utils.convert.sentence_library import Call
from utils.convert.tokenization import load_tokenizer
from utils.convert.types import Folders, ReferenceModel
from utils.convert.version_5 import major, sentence_version
from utils.host import environment
from utils.host.environments import SENTENCES, SENTENCES6, SETFIT, Environment
from utils.host.progress import note
from utils.sources.sentence_folder import root_of

# The first version that an environment of its own answers for.
SEPARATE = 6


def answers(
    kind: str,
    reference: ReferenceModel,
    settings: Mapping[str, Any],
    texts: Sequence[Any],
    options: Sequence[Mapping[str, Any]] = (),
) -> list[Any]:
    """Of each text alone what a model of the class `kind` answers. SourceError (3) if the library fails.

    SentenceTransformer: the embedding, FP32 [D]; SparseEncoder: the weights of all tokens of the vocabulary, FP32 [V];
    CrossEncoder, of each pair: its scores, FP32 [C]. `options`: for each text the arguments of `encode` or `predict`.
    """
    with _call(kind, reference, settings, texts, options) as (call, folders):
        version = sentence_version(folders.model)
        if major(version) < SEPARATE or runs_version_5():
            if not runs_version_5():  # which has version 6 in its environment
                environment.open_packages(SENTENCES)
            _merge(folders, reference, Path(call.folder))
            return call.answers(reference.model.forward if reference.is_graph else None)
        folder = str(root_of(folders.model))
        if folders.tokenizer.resolve() != folders.model.resolve():
            folder, inner = call.folder, _link(folders.model, Path(call.folder))
            for file in filter(_is_of_tokenizer, folders.tokenizer.iterdir()):
                (inner / file.name).symlink_to(file.absolute())
        recorded = _recorded(reference) if reference.is_graph else None
        return _asked(SENTENCES6, replace(call, folder=folder), recorded, version=version)


def classify(reference: ReferenceModel, settings: Mapping[str, Any], texts: Sequence[str]) -> list[Any]:
    """Of each text alone setfit's probability of each label, FP32 [C]; the head is loaded in a process of its own."""
    with _call("SetFit", reference, settings, texts) as (call, folders):
        is_separate = major(sentence_version(folders.model)) >= SEPARATE
        _merge(folders, reference, Path(call.folder))
        return _asked(SENTENCES6 if is_separate else SENTENCES, call, library="setfit", behind=SETFIT)


@contextmanager
def _call(
    kind: str,
    reference: ReferenceModel,
    settings: Mapping[str, Any],
    texts: Sequence[Any],
    options: Sequence[Mapping[str, Any]] = (),
) -> Iterator[tuple[Call, Folders]]:
    """A call with a folder that is still empty, and the folders of the model."""
    assert reference.folders  # only tests that need no library have none
    with tempfile.TemporaryDirectory(prefix="sentence-") as place:
        call = Call(
            kind=kind,
            folder=place,
            name=str(reference.folders.model),
            texts=texts,
            settings=settings,
            options=options or [{} for _ in texts],
            max_length=reference.folders.max_length,
            most=reference.max_length,
        )
        yield call, reference.folders


def _asked(
    place: Environment,
    call: Call,
    recorded: Mapping[str, Any] | None = None,
    *,
    library: str = "sentence-transformers",
    version: str = "",
    behind: Environment | None = None,
) -> list[Any]:
    """The answers of a process of the library, which wrote the folder with this `version`."""
    writer = f"{library} {version}".rstrip()
    found, arrays = writer_process.ask(place, asdict(call), recorded, writer=writer, action="sentences", behind=behind)
    note(f"answers of {library} {found} to {len(call.texts)} texts")
    return [arrays[f"answer-{number}"] for number in range(len(call.texts))]


def _recorded(reference: ReferenceModel) -> dict[str, np.ndarray]:
    """What the graph gave for each text, and for which ids: another process cannot run this one's graph."""
    arrays: dict[str, np.ndarray] = {}
    for place, (text, outputs) in enumerate(zip(reference.texts, reference.outputs, strict=True)):
        ids = tokenizer_arrays(reference.tokenizer, [text], reference.max_length)["input_ids"][0]
        arrays |= {f"input_ids-{place}": ids, **{f"{name}-{place}": each for name, each in outputs.items()}}
    return arrays


def _merge(folders: Folders, reference: ReferenceModel, place: Path) -> None:
    """The model's files with the tokenizer's in place of its own, as transformers loads and saves that.

    So a tokenizer of another folder is taken, and one whose class this version of transformers lacks.
    """
    inner = _link(folders.model, place)
    load_tokenizer(folders.tokenizer, reference.model.config).save_pretrained(inner)


def _link(folder: Path, place: Path) -> Path:
    """Links in `place` to the files of a model but its tokenizer's; returns the model's own folder there."""
    root = root_of(folder)
    inner = place / folder.relative_to(root)
    inner.mkdir(exist_ok=True)
    for source, destination in {root: place, folder: inner}.items():
        for file in source.iterdir():
            if file != folder and not _is_of_tokenizer(file):
                (destination / file.name).symlink_to(file.absolute())
    return inner


def _is_of_tokenizer(file: Path) -> bool:
    """Such a file is never linked: saving another tokenizer beside it would write through the link."""
    return any(part in file.name for part in ("token", "vocab", "merges")) or file.suffix in (".txt", ".spm", ".bpe")
