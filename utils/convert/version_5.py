"""A checkpoint written by transformers 5: the answers of version 4, which the exporter needs, against those of 5."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils import ROOT
from utils.convert.probes import token_probes
from utils.convert.reference_model import has_tokens, tokenizer_arrays
from utils.convert.task import ModelTask
from utils.convert.types import ReferenceModel, Text
from utils.host import children, environment
from utils.host.environments import TRANSFORMERS5
from utils.host.errors import ParityError, SourceError, UsageError
from utils.host.json_file import read_json_object
from utils.host.progress import note
from utils.repository.corpus import TOKENIZER_TEXTS

# The newest major version there is an environment for.
NEWEST = 5
# The newest major version of sentence-transformers whose files utils/sources/sentence_folder.py reads.
NEWEST_SENTENCE = 6
# Two versions of one implementation differ by the order of sums; what is read otherwise differs by far more.
TOLERANCE = 1e-3
# Keys and classes that only version 5 writes in tokenizer_config.json.
TOKENIZER_KEYS, TOKENIZER_CLASSES = ("backend", "is_local"), ("TokenizersBackend", "SentencePieceBackend")
AGAIN = "save it again with save_pretrained()"


@dataclass(frozen=True, kw_only=True)
class Written:
    """By which version of transformers a checkpoint's files were written, as they say: "5.24.0", or "5"."""

    model: str
    tokenizer: str

    @property
    def newest(self) -> str:
        """The newer of the two."""
        return max(self.model, self.tokenizer, key=_major)


def written_by(model: Path, tokenizer: Path) -> Written:
    """What the files say; SourceError (exit 3) for a major version that nothing here can read."""
    _check_sentence_version(model / "config_sentence_transformers.json")
    config = read_json_object(model / "config.json", AGAIN)
    version = str(config.get("transformers_version") or ("5" if _has_rope_parameters(config) else "4"))
    words = read_json_object(tokenizer / "tokenizer_config.json", AGAIN)
    is_new = words.get("tokenizer_class") in TOKENIZER_CLASSES or any(key in words for key in TOKENIZER_KEYS)
    written = Written(model=version, tokenizer="5" if is_new else "4")
    if _major(written.newest) > NEWEST:
        raise SourceError(
            f"{str(model / 'config.json')!r} was written by transformers {version}, and this factory knows versions up "
            f"to {NEWEST}; save the model with transformers {NEWEST} or update this factory"
        )
    return written


def _check_sentence_version(file: Path) -> None:
    versions = read_json_object(file, AGAIN).get("__version__")
    version = str(versions.get("sentence_transformers", "")) if isinstance(versions, dict) else ""
    if _major(version) > NEWEST_SENTENCE:
        raise SourceError(
            f"{str(file)!r} was written by sentence-transformers {version}, and this factory knows versions up to "
            f"{NEWEST_SENTENCE}; save the model with sentence-transformers {NEWEST_SENTENCE} or update this factory"
        )


def _has_rope_parameters(config: Mapping[str, Any]) -> bool:
    parts = [config, *(value for value in config.values() if isinstance(value, dict))]
    return any("rope_parameters" in part for part in parts)


def _major(version: str) -> int:
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0


def check(
    model: Path, tokenizer: Path, reference: ReferenceModel, task: ModelTask, *, lower_case: bool = False
) -> None:
    """Nothing for a checkpoint of version 4; else ids and outputs against the writer's major version.

    ParityError (exit 5) shows the first difference; SourceError (exit 3) when the writer itself cannot load or ask it.
    """
    written = written_by(model, tokenizer)
    if _major(written.newest) < NEWEST:
        return
    note(f"written by transformers {written.newest}: asking version {NEWEST} for its answers, too")
    token_texts = _token_texts(reference)
    request = {
        "model": str(model.absolute()),
        "tokenizer": str(tokenizer.absolute()),
        "auto_class": task.auto_class,
        "names": list(task.graph_outputs),
        "texts": reference.texts,
        "token_texts": token_texts,
        "max_length": reference.max_length,
        "lower_case": lower_case,
    }
    version, arrays = _asked(request, written)
    _compare_ids(reference, token_texts, arrays, version)
    difference = _compare_outputs(reference, arrays, version, _unread(model))
    note(
        f"answers of transformers {version}: ids of {len(token_texts)} texts equal, outputs of {len(reference.texts)} "
        f"texts differ by {difference:.1e} at most"
    )


def _token_texts(reference: ReferenceModel) -> list[Text]:
    singles = [
        text
        for text in (*TOKENIZER_TEXTS, *token_probes(reference.tokenizer))
        if has_tokens(reference.tokenizer, [text])
    ]
    return [*singles, *(text for text in reference.texts if not isinstance(text, str))]


def _asked(request: dict[str, Any], written: Written) -> tuple[str, dict[str, np.ndarray]]:
    """The version that answered, and its arrays (see writer_child.py)."""
    import torch

    try:
        python = environment.ensure(TRANSFORMERS5)
    except UsageError as error:
        raise SourceError(
            f"the checkpoint was written by transformers {written.newest}, and the environment that compares with its "
            f"answers cannot be made: {error}"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "arrays.npz"
        asked = {**request, "arrays": str(file), "packages": str(Path(torch.__file__).parent.parent)}
        command = [str(python), "-I", str(ROOT / "utils" / "launch.py"), "utils.convert.version_5_child"]
        done = subprocess.run(
            children.with_parent_death_signal(command),
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        answer = _answer(done)
        if "error" in answer:
            raise SourceError(
                f"transformers {written.newest}, which wrote the checkpoint, cannot load or ask it itself: "
                f"{answer['error']}; save the model and its tokenizer again"
            )
        with np.load(file) as arrays:
            return answer["version"], dict(arrays)


def _answer(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SourceError(
            f"transformers {NEWEST} ended with status {done.returncode} and no answers ({said}); "
            "if the machine is short of memory or disk, free some and run the same command again"
        ) from None


def _compare_ids(
    reference: ReferenceModel, texts: Sequence[Text], arrays: Mapping[str, np.ndarray], version: str
) -> None:
    for place, text in enumerate(texts):
        mine = tokenizer_arrays(reference.tokenizer, [text], reference.max_length)["input_ids"][0]
        theirs = arrays[f"ids-{place}"]
        if len(mine) != len(theirs) or (mine != theirs).any():
            first = next((i for i, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), None)
            at = min(len(mine), len(theirs)) if first is None else first
            raise ParityError(
                f"the tokenizer was written by transformers 5, and {text[:60]!r} gets other ids from version {version} "
                f"than from version 4, first at position {at}: {_shown(theirs, at)} against {_shown(mine, at)}; save "
                "the tokenizer with transformers 4; nothing was built"
            )


def _shown(ids: np.ndarray, at: int) -> str:
    return f"{ids[at]} of {len(ids)}" if at < len(ids) else f"none of {len(ids)}"


def _compare_outputs(
    reference: ReferenceModel, arrays: Mapping[str, np.ndarray], version: str, unread: Sequence[str]
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
                    f"the model was written by transformers 5, and its {name} for {reference.texts[place][:60]!r} "
                    f"differ by {difference:.2g} between version {version} and version 4, which the exporter needs"
                    f"{cause}; give a model that was trained and saved with transformers 4; nothing was built"
                )
    return largest


def _unread(model: Path) -> tuple[str, ...]:
    """Keys of config.json that version 4 has no field for."""
    from transformers import AutoConfig

    content = read_json_object(model / "config.json", AGAIN)
    known = AutoConfig.for_model(str(content.get("model_type"))).to_dict()
    translated = {"rope_parameters", "transformers_version", "dtype", "id2label", "label2id", "architectures"}
    return tuple(sorted(content.keys() - known.keys() - translated))
