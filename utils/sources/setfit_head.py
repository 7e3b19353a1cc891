"""Reads a SetFit folder: config_setfit.json, and the head behind the embedding, a pickle or a safetensors file.

setfit itself writes model_head.pkl only. model_head.safetensors has the attributes of a fitted LogisticRegression of
scikit-learn: `coefficients` [C, D], or [1, D] for two labels, and `intercept`, [C] or [1]. Source of the shapes: coef_
and intercept_ in its documentation. With {"multi_label": "true"} in its metadata each row is a label of its own.
"""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host import children, digest, environment
from utils.host.cache_folder import cache_folder
from utils.host.environments import FACTORY, SENTENCES, SETFIT
from utils.host.errors import SourceError, UsageError
from utils.host.json_file import exists, read_json_object
from utils.host.progress import warn
from utils.sources import setfit_child
from utils.sources.safetensors_header import read_header
from utils.sources.setfit_child import SIGMOID, SOFTMAX

CONFIG, PICKLED, SAFE = "config_setfit.json", "model_head.pkl", "model_head.safetensors"
AGAIN = "copy the whole folder again"
# coef_ can be in Fortran's order, which safetensors would write as it lies in memory.
CONVERT = (
    "python3 -c \"import joblib, safetensors.numpy as s; h = joblib.load('model_head.pkl'); "
    "s.save_file({'coefficients': h.coef_.astype('f4', 'C'), 'intercept': h.intercept_.astype('f4')}, "
    "'model_head.safetensors')\""
)
SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Head:
    """A linear layer, rows of C labels, D numbers each, and what is computed of its logits: a name of setfit_child.py.

    `digest`: of the file. `classes`: what the head's own outputs stand for: texts, or places in config_setfit.json's
    labels.
    """

    function: str
    coefficients: list[list[float]]
    intercept: list[float]
    classes: tuple[str | int, ...]
    digest: str

    @property
    def is_multi_label(self) -> bool:
        """Whether each label has a probability of its own."""
        return self.function == SIGMOID


@dataclass(frozen=True, kw_only=True)
class SetFit:
    """`labels` () if neither file names them."""

    head: Head
    labels: tuple[str, ...]
    normalize: bool


def is_setfit(folder: Path) -> bool:
    """Whether setfit wrote the folder: version 1 writes its config, earlier ones only the head."""
    return exists(folder / CONFIG) or exists(folder / PICKLED) or exists(folder / SAFE)


def read_setfit(folder: Path, *, allow_pickle: bool) -> SetFit:
    """SourceError (exit 3) for a head that is missing, a pickle that is not allowed, or one that is not served."""
    content = read_json_object(folder / CONFIG, AGAIN)
    head = read_head(folder, allow_pickle=allow_pickle)
    return SetFit(
        head=head,
        labels=_labels(folder / CONFIG, content.get("labels"), head),
        normalize=bool(content.get("normalize_embeddings")),
    )


def read_head(folder: Path, *, allow_pickle: bool) -> Head:
    """The head; a pickle is loaded in a process of its own."""
    if exists(folder / SAFE):
        return _safe_head(folder / SAFE)
    if exists(folder / PICKLED) and allow_pickle:
        return _pickled_head(folder / PICKLED)
    name = PICKLED if exists(folder / PICKLED) else "fetched only with --allow-pickle"
    raise SourceError(
        f"the head of the SetFit model in {str(folder)!r} is a pickle ({name}); loading a pickle can run code in it; "
        f"add --allow-pickle, or write {SAFE} in a trusted environment, in the model's folder: {CONVERT}"
    )


def _safe_head(file: Path) -> Head:
    from safetensors import safe_open

    shapes = read_header(file)
    coefficients, intercept = shapes.get("coefficients", ()), shapes.get("intercept", ())
    if len(shapes) != 2 or len(coefficients) != 2 or intercept != coefficients[:1]:
        found = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise SourceError(
            f"{str(file)!r} has {found}; a SetFit head has coefficients [C, D] and intercept [C], as coef_ and "
            "intercept_ of scikit-learn's LogisticRegression"
        )
    with safe_open(file, framework="np") as opened:
        rows = opened.get_tensor("coefficients").astype("float64").tolist()
        biases = opened.get_tensor("intercept").astype("float64").tolist()
        written = opened.metadata() or {}
    multi_label = _multi_label(file, written)
    if len(rows) == 1 and not multi_label:  # the sigmoid of z is the softmax of 0 and z
        rows, biases = [[0.0] * len(rows[0]), *rows], [0.0, *biases]
    return Head(
        function=SIGMOID if multi_label else SOFTMAX,
        coefficients=rows,
        intercept=biases,
        classes=tuple(range(len(rows))),
        digest=digest.of_bytes(file.read_bytes()),
    )


def _multi_label(file: Path, written: Mapping[str, str]) -> bool:
    unknown = sorted(set(written) - {"multi_label", "format"})
    if unknown or written.get("multi_label", "false") not in ("true", "false"):
        name = unknown[0] if unknown else "multi_label"
        raise SourceError(
            f"{str(file)!r} has {name} = {written[name]!r} in its metadata; allowed are multi_label (true or "
            "false) and format"
        )
    return written.get("multi_label") == "true"


def _pickled_head(file: Path) -> Head:
    answer = _answer(file)
    if "refused" in answer:
        raise SourceError(
            f"{str(file)!r} is {answer['refused']}, which this factory does not serve; it serves LogisticRegression, "
            "OneVsRestClassifier and MultiOutputClassifier of it, and SetFitHead: train the head again as one of these"
        )
    if "error" in answer:
        raise SourceError(
            f"{str(file)!r} cannot be loaded ({answer['error']}); write it again with the scikit-learn and setfit of "
            "requirements/sentence-transformers.txt and requirements/setfit.txt"
        )
    for version in answer["written"]:
        warn(f"{file.name} was written by scikit-learn {version} and is read by {answer['read']}")
    return Head(
        function=answer["function"],
        coefficients=answer["coefficients"],
        intercept=answer["intercept"],
        classes=tuple(answer["classes"]),
        digest=digest.of_bytes(file.read_bytes()),
    )


def _answer(file: Path) -> dict[str, Any]:
    """What the child reports of a head; from the cache if the same file was read before, so that builds stay fast."""
    made_by = f"{digest.of_file(Path(setfit_child.__file__))} {SENTENCES.digest()} {SETFIT.digest()}"
    key = digest.of_text(f"{digest.of_file(file)} {made_by}")[:32]
    kept = cache_folder("heads") / key / "head.json"
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    answer = _request(file)
    with contextlib.suppress(OSError):  # without a place to keep it, the next build loads it again
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False) as written:
            json.dump(answer, written)
        Path(written.name).replace(kept)
    return answer


def _request(file: Path) -> dict[str, Any]:
    try:
        python = environment.ensure(SENTENCES)
        environment.ensure(SETFIT)
    except UsageError as error:
        raise SourceError(f"the environment that reads SetFit heads cannot be made: {error}") from error
    packages = [str(each) for place in (SETFIT, FACTORY) for each in place.site_packages]
    request = {"file": str(file.absolute()), "packages": packages}
    try:
        return children.ask(python, "utils.sources.setfit_child", request, seconds=SECONDS)
    except subprocess.TimeoutExpired:
        raise SourceError(f"{str(file)!r} was not loaded in {SECONDS} seconds; write the head again") from None
    except children.NoAnswerError as error:
        raise SourceError(f"the process that loads {str(file)!r} ended with {error}; write the head again") from None


def _labels(file: Path, named: Any, head: Head) -> tuple[str, ...]:
    """A text for each of the head's classes: its own, or the one at its place in the config."""
    if all(isinstance(each, str) for each in head.classes):
        return tuple(map(str, head.classes))
    if named is None:
        return ()
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise SourceError(f"{str(file)!r} has labels {named!r}; they must be a list of texts, or null")
    places = [each for each in head.classes if isinstance(each, int)]
    if not all(0 <= place < len(named) for place in places) or len(named) != len(places):
        raise SourceError(
            f"{str(file)!r} has {len(named)} labels, and the classes of the head are "
            f"{', '.join(map(str, places[:8]))}; there must be one label for each class, numbered from 0"
        )
    return tuple(named[place] for place in places)
