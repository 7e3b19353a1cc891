"""A checkpoint written by another major version of transformers than the one that runs: compares with its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils.convert import writer_process
from utils.convert.probes import token_probes
from utils.convert.reference_model import has_tokens, runs_version_5, tokenizer_arrays
from utils.convert.task import ModelTask
from utils.convert.types import ReferenceModel, Settings, Text
from utils.host.environments import FACTORY, TRANSFORMERS5
from utils.host.errors import ParityError, SourceError
from utils.host.json_file import read_json_object
from utils.host.progress import note
from utils.repository.corpus import TOKENIZER_TEXTS
from utils.sources.sentence_folder import OWN_CONFIG, root_of
from utils.sources.supported_types import ONLY_VERSION_5
from utils.targets.exporters import DYNAMO, OPTIMUM

# The major versions that have an environment.
OLDER, NEWEST = 4, 5
ENVIRONMENT_OF = {OLDER: FACTORY, NEWEST: TRANSFORMERS5}
# The newest major version of sentence-transformers whose files utils/sources/sentence_folder.py reads.
NEWEST_SENTENCE = 6
# Two versions of one implementation differ by the order of sums; a setting that one of them ignores differs by more.
TOLERANCE = 1e-3
# Keys and classes that only version 5 writes in tokenizer_config.json.
TOKENIZER_KEYS, TOKENIZER_CLASSES = ("backend", "is_local"), ("TokenizersBackend", "SentencePieceBackend")
AGAIN = "save it again with save_pretrained()"


@dataclass(frozen=True, kw_only=True)
class Versions:
    """The major version that wrote a checkpoint, its release that answers now, and the major version that runs here."""

    writer: int
    found: str
    here: int

    @property
    def remedy(self) -> str:
        """The exporter that runs with the version of the writer."""
        return f"build with --exporter {OPTIMUM if self.writer == OLDER else DYNAMO}"


def written_by(model: Path, tokenizer: Path) -> str:
    """The newest version of transformers that wrote one of the files, as they name it: "5.24.0", or "5".

    SourceError (exit 3) for a major version that this factory does not know.
    """
    _check_sentence_version(model)
    config = read_json_object(model / "config.json", AGAIN)
    version = str(config.get("transformers_version") or ("5" if _has_rope_parameters(config) else "4"))
    words = read_json_object(tokenizer / "tokenizer_config.json", AGAIN)
    is_new = words.get("tokenizer_class") in TOKENIZER_CLASSES or any(key in words for key in TOKENIZER_KEYS)
    newest = max(version, "5" if is_new else "4", key=major)
    if major(newest) > NEWEST:
        raise SourceError(
            f"{str(model / 'config.json')!r} was written by transformers {version}, and this factory knows versions up "
            f"to {NEWEST}; save the model with transformers {NEWEST} or update this factory"
        )
    return newest


def sentence_version(model: Path) -> str:
    """The sentence-transformers that wrote the model's folder, as config_sentence_transformers.json says, or ""."""
    versions = read_json_object(root_of(model) / OWN_CONFIG, AGAIN).get("__version__")
    return str(versions.get("sentence_transformers", "")) if isinstance(versions, dict) else ""


def _check_sentence_version(model: Path) -> None:
    version = sentence_version(model)
    if major(version) > NEWEST_SENTENCE:
        file = str(root_of(model) / OWN_CONFIG)
        raise SourceError(
            f"{file!r} was written by sentence-transformers {version}, and this factory knows versions up to "
            f"{NEWEST_SENTENCE}; save the model with sentence-transformers {NEWEST_SENTENCE} or update this factory"
        )


def _has_rope_parameters(config: Mapping[str, Any]) -> bool:
    parts = [config, *(value for value in config.values() if isinstance(value, dict))]
    return any("rope_parameters" in part for part in parts)


def major(version: str) -> int:
    """5 for "5.24.0"; 0 for what does not begin with a number."""
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0


def check(model: Path, tokenizer: Path, reference: ReferenceModel, task: ModelTask, settings: Settings) -> None:
    """Compares ids and outputs with those of the major version that wrote the checkpoint, if another one runs here.

    ParityError (exit 5) shows the first difference. SourceError (exit 3) if that version cannot load it or answer.
    """
    written = written_by(model, tokenizer)
    here, writer = (NEWEST if runs_version_5() else OLDER), max(OLDER, major(written))
    if here == writer or (writer == OLDER and reference.model.config.model_type in ONLY_VERSION_5):
        return
    note(f"written by transformers {written}: comparing with the answers of version {writer}")
    token_texts = _token_texts(reference)
    request = {
        "model": str(model.absolute()),
        "tokenizer": str(tokenizer.absolute()),
        "auto_class": task.auto_class,
        "names": list(task.graph_outputs),
        "texts": reference.texts,
        "token_texts": token_texts,
        "max_length": reference.max_length,
        "lower_case": bool(settings.get("lower_case")),
        "complete": f"{task.complete.__module__}:{task.complete.__name__}" if task.complete else None,
        "settings": dict(settings),
    }
    place = ENVIRONMENT_OF[writer]
    version, arrays = writer_process.ask(place, request, writer=f"transformers {written}", action="outputs")
    versions = Versions(writer=writer, found=version, here=here)
    _compare_ids(reference, token_texts, arrays, versions)
    difference = _compare_outputs(reference, arrays, versions, _unread(model) if here == OLDER else ())
    note(
        f"answers of transformers {version}: ids of {len(token_texts)} texts equal, outputs of {len(reference.texts)} "
        f"texts differ by {difference:.1e} at most"
    )


def _token_texts(reference: ReferenceModel) -> list[Text]:
    tokenizer = reference.tokenizer
    singles = [text for text in (*TOKENIZER_TEXTS, *token_probes(tokenizer)) if has_tokens(tokenizer, [text])]
    return [*singles, *(text for text in reference.texts if not isinstance(text, str))]


def _compare_ids(
    reference: ReferenceModel, texts: Sequence[Text], arrays: Mapping[str, np.ndarray], versions: Versions
) -> None:
    for place, text in enumerate(texts):
        mine = tokenizer_arrays(reference.tokenizer, [text], reference.max_length)["input_ids"][0]
        theirs = arrays[f"ids-{place}"]
        if len(mine) != len(theirs) or (mine != theirs).any():
            first = next((i for i, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), None)
            at = min(len(mine), len(theirs)) if first is None else first
            raise ParityError(
                f"the tokenizer was written by transformers {versions.writer}, and {text[:60]!r} gets other ids from "
                f"version {versions.found} than from version {versions.here}, first at position {at}: "
                f"{_shown(theirs, at)} against {_shown(mine, at)}; {versions.remedy}, or save the tokenizer with "
                f"transformers {versions.here}; nothing was built"
            )


def _shown(ids: np.ndarray, at: int) -> str:
    return f"{ids[at]} of {len(ids)}" if at < len(ids) else f"none of {len(ids)}"


def _compare_outputs(
    reference: ReferenceModel, arrays: Mapping[str, np.ndarray], versions: Versions, unread: Sequence[str]
) -> float:
    """The largest difference; ParityError above the tolerance, which grows with the values."""
    largest = 0.0
    for place, row in enumerate(reference.outputs):
        for name, mine in row.items():
            theirs = arrays[f"{name}-{place}"]
            allowed = TOLERANCE * max(1.0, float(np.abs(theirs).max(initial=0)))
            difference = float(np.abs(mine - theirs).max(initial=0)) if mine.shape == theirs.shape else np.inf
            largest = max(largest, difference)
            if not difference <= allowed:
                cause = f"; version 4 does not read {', '.join(unread)} in config.json" if unread else ""
                raise ParityError(
                    f"the model was written by transformers {versions.writer}, and its {name} for "
                    f"{reference.texts[place][:60]!r} differ by {difference:.2g} between version {versions.found} and "
                    f"version {versions.here}, which the exporter needs{cause}; {versions.remedy}, or give a model "
                    f"that was trained and saved with transformers {versions.here}; nothing was built"
                )
    return largest


def _unread(model: Path) -> tuple[str, ...]:
    """Keys of config.json that version 4 has no field for."""
    from transformers import AutoConfig

    content = read_json_object(model / "config.json", AGAIN)
    known = AutoConfig.for_model(str(content.get("model_type"))).to_dict()
    translated = {"rope_parameters", "transformers_version", "dtype", "id2label", "label2id", "architectures"}
    return tuple(sorted(content.keys() - known.keys() - translated))
