"""The answers of sentence-transformers itself for embeddings and ranking, from the version that wrote the folder.

Version 5 has its packages in an environment of its own, and this process adds them behind the factory's: torch and
transformers stay those of the conversion. Version 6 needs transformers 5 and runs in a process of its own.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from utils.convert import writer_process
from utils.convert.reference_model import runs_version_5, tokenizer_arrays
from utils.convert.sentence_library import Call
from utils.convert.tokenization import load_tokenizer
from utils.convert.types import ReferenceModel
from utils.convert.version_5 import major, sentence_version
from utils.host import environment
from utils.host.environments import SENTENCES, SENTENCES6, SETFIT
from utils.host.progress import note
from utils.sources.sentence_folder import root_of

# The first version that an environment of its own answers for.
SEPARATE = 6


def encode(
    reference: ReferenceModel,
    settings: Mapping[str, Any],
    texts: Sequence[str],
    options: Sequence[Mapping[str, Any]] = (),
) -> list[Any]:
    """Of each text alone its embedding, FP32 [D]. SourceError (3) if the library cannot load the folder or answer.

    `options`: for each text the arguments of the library's `encode`.
    """
    return _answers("SentenceTransformer", reference, settings, texts, options)


def predict(
    reference: ReferenceModel,
    settings: Mapping[str, Any],
    pairs: Sequence[tuple[str, str]],
    options: Sequence[Mapping[str, Any]] = (),
) -> list[Any]:
    """Of each pair alone its scores, FP32 [C]. SourceError and `options` as above."""
    return _answers("CrossEncoder", reference, settings, pairs, options)


def sparse(
    reference: ReferenceModel,
    settings: Mapping[str, Any],
    texts: Sequence[str],
    options: Sequence[Mapping[str, Any]] = (),
) -> list[Any]:
    """Of each text alone the weights of all tokens of the vocabulary, FP32 [V]. SourceError and `options` as above."""
    return _answers("SparseEncoder", reference, settings, texts, options)


def classify(reference: ReferenceModel, settings: Mapping[str, Any], texts: Sequence[str]) -> list[Any]:
    """Of each text alone setfit's probability of each label, FP32 [C]; the head is loaded in a process of its own."""
    assert reference.folders
    folders = reference.folders
    version = sentence_version(folders.model)
    environment_of_body = SENTENCES6 if major(version) >= SEPARATE else SENTENCES
    with tempfile.TemporaryDirectory(prefix="setfit-") as place:
        _merge(reference, Path(place))
        call = Call(
            kind="SetFit",
            folder=place,
            name=str(folders.model),
            texts=texts,
            settings=settings,
            options=[{} for _ in texts],
            max_length=folders.max_length,
            most=reference.max_length,
        )
        found, arrays = writer_process.ask(
            environment_of_body, asdict(call), writer="setfit", action="sentences", behind=SETFIT
        )
    note(f"answers of setfit {found} to {len(texts)} texts")
    return [arrays[f"answer-{place}"] for place in range(len(texts))]


def _answers(
    kind: str,
    reference: ReferenceModel,
    settings: Mapping[str, Any],
    texts: Sequence[Any],
    options: Sequence[Mapping[str, Any]] = (),
) -> list[Any]:
    assert reference.folders  # only tests that need no library have none
    folders = reference.folders
    with tempfile.TemporaryDirectory(prefix="sentence-") as place:
        call = Call(
            kind=kind,
            folder=place,
            name=str(folders.model),
            texts=texts,
            settings=settings,
            options=options or [{} for _ in texts],
            max_length=folders.max_length,
            most=reference.max_length,
        )
        version = sentence_version(folders.model)
        if major(version) >= SEPARATE and not runs_version_5():
            return _by_version_6(call, reference, version)
        _open_library()
        _merge(reference, Path(place))
        return call.answers(reference.model.forward if reference.is_graph else None)


def _by_version_6(call: Call, reference: ReferenceModel, version: str) -> list[Any]:
    assert reference.folders
    folders = reference.folders
    if folders.tokenizer.resolve() == folders.model.resolve():
        call = replace(call, folder=str(root_of(folders.model)))
    else:
        inner = _link(folders.model, Path(call.folder))
        for file in filter(_is_of_tokenizer, folders.tokenizer.iterdir()):
            (inner / file.name).symlink_to(file.absolute())
    found, arrays = writer_process.ask(
        SENTENCES6,
        asdict(call),
        _recorded(reference) if reference.is_graph else None,
        writer=f"sentence-transformers {version}",
        action="sentences",
    )
    note(f"answers of sentence-transformers {found} to {len(call.texts)} texts")
    return [arrays[f"answer-{place}"] for place in range(len(call.texts))]


def _recorded(reference: ReferenceModel) -> dict[str, np.ndarray]:
    """What the graph gave for each text, and for which ids: another process cannot run this one's graph."""
    arrays: dict[str, np.ndarray] = {}
    for place, (text, outputs) in enumerate(zip(reference.texts, reference.outputs, strict=True)):
        ids = tokenizer_arrays(reference.tokenizer, [text], reference.max_length)["input_ids"][0]
        arrays |= {f"input_ids-{place}": ids, **{f"{name}-{place}": each for name, each in outputs.items()}}
    return arrays


def _merge(reference: ReferenceModel, place: Path) -> None:
    """The model's files with the tokenizer's in place of its own, as transformers loads and saves that.

    So a tokenizer of another folder is taken, and one whose class this version of transformers lacks.
    """
    assert reference.folders
    inner = _link(reference.folders.model, place)
    load_tokenizer(reference.folders.tokenizer, reference.model.config).save_pretrained(inner)


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


def _open_library() -> None:
    if not runs_version_5():  # which has version 6 in its environment
        environment.open_packages(SENTENCES)
