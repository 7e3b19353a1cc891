"""One call of sentence-transformers, in whichever version this process can import: its `encode` or its `predict`."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.exceptions import explained
from utils.host.progress import without_log

# The rule of model_repository/shared/scoring.py -> the class of torch.
CLASSES = {"sigmoid": "Sigmoid", "none": "Identity", "tanh": "Tanh", "relu": "ReLU"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A model of class `kind` in `folder`, which messages call `name`.

    `kind`: SentenceTransformer, CrossEncoder, SparseEncoder or SetFit.
    `texts`: texts, or pairs for a CrossEncoder. `settings`: the task's. `options`: for each text the arguments of
    `encode` or `predict` that the request chooses. `max_length`: the limit that an option sets, in tokens; without it
    the library's own applies, and at most `most`, the limit of tokenizer and model.
    """

    kind: str
    folder: str
    name: str
    texts: Sequence[Any]
    settings: Mapping[str, Any]
    options: Sequence[Mapping[str, Any]]
    max_length: int | None
    most: int | None

    def answers(self, forward: Callable[..., Any] | None = None) -> list[Any]:
        """For each text alone its embedding, FP32 [D], or its scores, FP32 [C].

        `forward` replaces that of the model. SourceError (exit 3) if the library cannot load the folder or answer.
        """
        with without_log():  # the library advises, among others, to install a newer version of itself
            with self._explained("load it"):
                model, answer = self._setfit() if self.kind == "SetFit" else self._loaded()
                model.max_seq_length = self.max_length or _least(self.most, model.max_seq_length)
            if forward is not None:
                model[0].model.forward = forward
                if self.kind == "SparseEncoder":  # the graph pools by itself
                    model[1].forward = lambda features: {**features, "sentence_embedding": features["token_embeddings"]}
            return [self._answered(answer, *each) for each in zip(self.texts, self.options, strict=True)]

    def _loaded(self) -> tuple[Any, Callable[..., Any]]:
        """The model, and what answers a text."""
        library = importlib.import_module("sentence_transformers")
        model = getattr(library, self.kind)(self.folder, device="cpu", local_files_only=True)
        answers = {
            "SentenceTransformer": self._encoder,
            "CrossEncoder": self._predictor,
            "SparseEncoder": self._sparse_encoder,
        }
        return model, answers[self.kind](model)

    def _setfit(self) -> tuple[Any, Callable[[Any], Any]]:
        """The body of the model that setfit itself loads; a safetensors head becomes the LogisticRegression it was."""
        library = importlib.import_module("setfit")
        file = Path(self.folder) / "model_head.safetensors"
        if file.exists():
            body = importlib.import_module("sentence_transformers").SentenceTransformer(
                self.folder, device="cpu", local_files_only=True
            )
            normalize = self.settings["normalize_embeddings"]
            model = library.SetFitModel(body, restored_head(file), normalize_embeddings=normalize)
        else:
            model = library.SetFitModel.from_pretrained(self.folder, device="cpu", local_files_only=True)
        return model.model_body, lambda text: of_labels(model.predict_proba([text], as_numpy=True)[0])

    def _answered(self, answer: Callable[..., Any], text: Any, options: Mapping[str, Any]) -> Any:
        with self._explained(f"answer {_short(text)}"):
            return answer(text, **options)

    def _encoder(self, model: Any) -> Callable[..., Any]:
        """The folder's modules decide; --pooling replaces a mode, --normalize comes last."""
        pooling = next(iter(self.settings["modules"].values()))
        for module in model:
            if type(module).__name__ == "Pooling":
                module.pooling_mode = tuple(pooling["modes"])
        common = {"normalize_embeddings": self.settings["normalize"], "show_progress_bar": False}
        return lambda text, **options: model.encode(text, convert_to_numpy=True, **common, **options)

    def _predictor(self, model: Any) -> Callable[..., Any]:
        """The folder's own activation decides, but for --activation."""
        import torch

        is_option = self.settings.get("score_rule") == "option"
        function = getattr(torch.nn, CLASSES[self.settings["activation"]])() if is_option else None
        common = {"activation_fn": function, "show_progress_bar": False}
        return lambda pair, **options: model.predict([tuple(pair)], **common, **options).reshape(-1)

    def _sparse_encoder(self, model: Any) -> Callable[..., Any]:
        common = {"convert_to_sparse_tensor": False, "show_progress_bar": False}
        return lambda text, **options: model.encode(text, **common, **options).numpy()

    def _explained(self, action: str) -> AbstractContextManager[None]:
        """Whatever the library raises becomes a SourceError that names the folder, the action and the reason."""
        return explained(
            SourceError,
            lambda reason: (
                f"the model in {self.name!r}: sentence-transformers cannot {action} ({reason}); load the folder with "
                f"sentence_transformers.{self.kind}, mend what it reports and save the folder again"
            ),
            named=True,
        )


def _short(text: Any) -> str:
    return repr(text[:60]) if isinstance(text, str) else repr([each[:60] for each in text])


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def restored_head(file: Path) -> Any:
    """The fitted classifier of scikit-learn whose attributes are in `file` (its form: utils/sources/setfit_head.py)."""
    import numpy as np
    from safetensors import safe_open

    linear, multiclass, preprocessing = (
        importlib.import_module(f"sklearn.{name}") for name in ("linear_model", "multiclass", "preprocessing")
    )

    def fitted(rows: Any, biases: Any, classes: Any) -> Any:
        head = linear.LogisticRegression()
        head.coef_, head.intercept_, head.classes_ = rows, biases, np.array(classes)
        return head

    with safe_open(file, framework="np") as opened:
        rows, biases = opened.get_tensor("coefficients"), opened.get_tensor("intercept")
        multi_label = (opened.metadata() or {}).get("multi_label") == "true"
    if not multi_label:
        return fitted(rows, biases, range(max(2, len(rows))))
    head = multiclass.OneVsRestClassifier(linear.LogisticRegression())
    head.estimators_ = [fitted(row[None], bias[None], (0, 1)) for row, bias in zip(rows, biases, strict=True)]
    head.label_binarizer_ = preprocessing.LabelBinarizer().fit(np.eye(len(rows), dtype=int))
    return head


def of_labels(probabilities: Any) -> Any:
    """FP32 [C]: of a MultiOutputClassifier's two for each label the second, that it applies."""
    found = probabilities.astype("float32")
    return found[:, 1] if found.ndim == 2 else found
