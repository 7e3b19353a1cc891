"""What sentence-transformers itself answers: SentenceTransformer.encode and CrossEncoder.predict.

Its packages lie in an environment of their own (utils/host/environments.py) and are added to this process, behind the
factory's own: torch and transformers stay those that the conversion runs with.
"""

import importlib
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from utils.convert.types import ReferenceModel
from utils.host import environment
from utils.host.environments import SENTENCES
from utils.host.errors import SourceError
from utils.sources.sentence_folder import root_of

# The rule of model_repository/shared/scoring.py -> the class of torch.
CLASSES = {"sigmoid": "Sigmoid", "none": "Identity", "tanh": "Tanh", "relu": "ReLU"}


def encode(reference: ReferenceModel, settings: Mapping[str, Any], texts: Sequence[str]) -> list[Any]:
    """Of each text alone its embedding, FP32 [D]; SourceError where the library cannot load or answer.

    The folder's own modules and truncate_dim decide, but for --pooling and --normalize.
    """
    with _loaded("SentenceTransformer", reference) as model:
        _follow_options(model, settings)
        after_all = _normalizes_last(model, settings)
        return [
            model.encode(text, normalize_embeddings=after_all, show_progress_bar=False, convert_to_numpy=True)
            for text in texts
        ]


def predict(reference: ReferenceModel, settings: Mapping[str, Any], pairs: Sequence[tuple[str, str]]) -> list[Any]:
    """Of each pair alone its score, FP32 [1], by the folder's own activation or --activation; SourceError as above."""
    import torch

    with _loaded("CrossEncoder", reference) as model:
        by_option = settings.get("score_rule") == "option"
        function = getattr(torch.nn, CLASSES[settings["activation"]])() if by_option else None
        return [model.predict([pair], activation_fn=function, show_progress_bar=False) for pair in pairs]


def _follow_options(model: Any, settings: Mapping[str, Any]) -> None:
    """--pooling stands above the folder's own pooling."""
    for module in model:
        if type(module).__name__ == "Pooling":
            module.pooling_mode = settings["pooling"]


def _normalizes_last(model: Any, settings: Mapping[str, Any]) -> bool:
    """--normalize is encode's normalize_embeddings; a folder with Normalize normalizes by itself."""
    own = any(type(module).__name__ == "Normalize" for module in model)
    return bool(settings.get("normalize_truncated")) or (settings["normalize"] and not own)


@contextmanager
def _loaded(name: str, reference: ReferenceModel) -> Iterator[Any]:
    """The library's class `name` with the original's folder, on the CPU, with the limit of its texts."""
    assert reference.folders  # only of tests that need no library
    _open_library()
    with tempfile.TemporaryDirectory(prefix="sentence-") as place, _quiet():
        try:
            folder = _merged(reference, Path(place))
            library = importlib.import_module("sentence_transformers")
            model = getattr(library, name)(str(folder), device="cpu", local_files_only=True)
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise SourceError(
                f"sentence-transformers cannot load {str(reference.folders.model)!r}: {reason}"
            ) from error
        limit = reference.folders.max_length or _least(reference.max_length, model.max_seq_length)
        model.max_seq_length = limit
        if reference.is_graph:
            model[0].model = reference.model
        yield model


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _merged(reference: ReferenceModel, place: Path) -> Path:
    """The model's files with the tokenizer's in place of its own, as transformers loads and saves that.

    So a tokenizer of another folder is taken, and one whose class this version of transformers lacks.
    """
    from utils.convert.tokenization import load_tokenizer

    assert reference.folders
    folder = reference.folders.model
    root = root_of(folder)
    inner = place / folder.relative_to(root)
    inner.mkdir(exist_ok=True)
    for source, destination in {root: place, folder: inner}.items():
        for file in source.iterdir():
            if file != folder and "token" not in file.name and file.suffix not in (".txt", ".spm", ".md"):
                (destination / file.name).symlink_to(file.absolute())
    load_tokenizer(reference.folders.tokenizer, reference.model.config).save_pretrained(inner)
    return place


def _open_library() -> None:
    packages = next((environment.ensure(SENTENCES).parent.parent / "lib").glob("python*/site-packages"))
    if str(packages) not in sys.path:
        sys.path.append(str(packages))


@contextmanager
def _quiet() -> Iterator[None]:
    """It advises, among others, to install a newer version of itself."""
    former = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(former)
