"""Run by a Python that has setfit: `PACKAGES TEXTS JOBS`: folders as setfit saves them, and its answers from them.

PACKAGES, with colons, are added to the path. JOBS is a list of [BODY, HEAD, SETTINGS, DESTINATION]. HEAD is a key of
HEADS, fitted on the embeddings of a few texts: the model with this body is saved in DESTINATION and loaded from there.
The last line is a list: for each job the model's probabilities of TEXTS.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

TEXTS = [
    "The quick brown fox jumps",
    "I would like my money back",
    "помогите мне",
    "Ça coûte 12,50 €",
    "今日はとても良い天気",
    "lazy dog",
]
THREE = [0, 1, 2, 0, 1, 2]
MULTI = [[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]


def logistic(**how: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10, **how)


def of_each(name: str) -> Any:
    import sklearn.multiclass
    import sklearn.multioutput

    module = sklearn.multiclass if hasattr(sklearn.multiclass, name) else sklearn.multioutput
    return getattr(module, name)(logistic())


def differentiable(*, multitarget: bool) -> Any:
    import setfit
    import torch

    torch.manual_seed(5)
    return setfit.SetFitHead(in_features=32, out_features=3, temperature=0.5, multitarget=multitarget, device="cpu")


def neighbours() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(2)


# the head, and what it is fitted to
HEADS: dict[str, tuple[Callable[[], Any], Any]] = {
    "two": (logistic, [0, 1, 0, 1, 0, 1]),
    "three": (logistic, THREE),
    "older": (logistic, THREE),
    "texts": (logistic, ["a", "b", "c", "a", "b", "c"]),
    "one-vs-rest-of-one": (lambda: of_each("OneVsRestClassifier"), THREE),
    "one-vs-rest": (lambda: of_each("OneVsRestClassifier"), MULTI),
    "multi-output": (lambda: of_each("MultiOutputClassifier"), MULTI),
    "chain": (lambda: of_each("ClassifierChain"), MULTI),
    "torch": (lambda: differentiable(multitarget=False), None),
    "torch-multi": (lambda: differentiable(multitarget=True), None),
    "neighbours": (neighbours, THREE),
}


def save(body: str, head: str, settings: dict[str, Any], destination: str) -> None:
    import setfit
    import sklearn.base
    from sentence_transformers import SentenceTransformer

    make, labels = HEADS[head]
    model = setfit.SetFitModel(SentenceTransformer(body, device="cpu"), make(), **settings)
    if labels:
        model.model_head.fit(model.encode(TEXTS), labels)
    own = sklearn.base.__version__
    if head == "older":  # as a pickle of an earlier version names it
        sklearn.base.__version__ = "1.5.0"
    model.save_pretrained(destination)
    sklearn.base.__version__ = own


def answers(folder: str, texts: list[str]) -> list[list[float]]:
    import setfit

    model = setfit.SetFitModel.from_pretrained(folder, device="cpu")
    rows = [model.predict_proba([text], as_numpy=True)[0] for text in texts]
    return [(row[:, 1] if row.ndim == 2 else row).tolist() for row in rows]


def main(packages: str, texts: str, jobs: str) -> None:
    sys.path.extend(packages.split(":"))
    found = []
    for body, head, settings, destination in json.loads(jobs):
        save(body, head, settings, destination)
        found.append(answers(destination, json.loads(texts)))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
