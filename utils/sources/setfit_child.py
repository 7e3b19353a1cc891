"""The child of setfit_head.py: loads a pickled head in a process of its own, and reports its numbers.

Source of the rules: predict_proba of setfit's SetFitModel and SetFitHead, and of scikit-learn's classes.
"""

import json
import sys
import warnings
from typing import Any

from utils.host.streams import take_stdout

# What the head computes of its logits: probabilities that sum to 1, one for each label, or those scaled to the sum 1.
SOFTMAX, SIGMOID, NORMALIZED = "softmax", "sigmoid", "normalized"


class UnservedError(Exception):
    """A head that this factory does not serve; the text names it."""


def main() -> None:
    """Reads {"file", "packages"} on stdin, answers with a head (see `numbers`) or {"refused": str}, {"error": str}."""
    answer = take_stdout()
    request = json.load(sys.stdin)
    sys.path.extend(request["packages"])
    answer.write(json.dumps(_loaded(request["file"])).encode())
    answer.close()


def _loaded(file: str) -> dict[str, Any]:
    import joblib

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = numbers(joblib.load(file))
    except UnservedError as error:
        return {"refused": str(error)}
    except Exception as error:  # a pickle raises anything
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    versions = {getattr(each.message, "original_sklearn_version", None) for each in caught} - {None}
    return {**found, "written": sorted(versions), "read": sys.modules["sklearn"].__version__}


def numbers(head: Any) -> dict[str, Any]:
    """{"function", "coefficients" [C, D], "intercept" [C], "classes": C texts or whole numbers} of a fitted head."""
    kind = type(head).__name__
    if kind not in HEADS:
        raise UnservedError(f"{type(head).__module__}.{kind}")
    return HEADS[kind](head)


def _logistic_regression(head: Any) -> dict[str, Any]:
    """Source: LogisticRegression.predict_proba of scikit-learn 1.9."""
    count = len(head.classes_)
    is_scaled = getattr(head, "multi_class", None) == "ovr" or head.solver == "liblinear"
    if count > 2 and is_scaled:
        raise UnservedError(
            "a LogisticRegression of one classifier per label (multi_class='ovr' or solver='liblinear')"
        )
    rows, intercept = head.coef_.tolist(), head.intercept_.tolist()
    if count == 2:  # the sigmoid of z is the softmax of 0 and z
        rows, intercept = [[0.0] * len(rows[0]), *rows], [0.0, *intercept]
    return _head(SOFTMAX, rows, intercept, head.classes_)


def _one_vs_rest(head: Any) -> dict[str, Any]:
    """Source: OneVsRestClassifier.predict_proba."""
    rows, intercept = _binary(head.estimators_, "a OneVsRestClassifier")
    if head.multilabel_:
        return _head(SIGMOID, rows, intercept, head.classes_)
    if len(rows) == 1:
        return _head(SOFTMAX, [[0.0] * len(rows[0]), *rows], [0.0, *intercept], head.classes_)
    return _head(NORMALIZED, rows, intercept, head.classes_)


def _multi_output(head: Any) -> dict[str, Any]:
    """That each label applies: of the two probabilities that MultiOutputClassifier.predict_proba gives, the second."""
    if any(list(each.classes_) != [0, 1] for each in head.estimators_):
        raise UnservedError("a MultiOutputClassifier with other classes than 0 and 1")
    rows, intercept = _binary(head.estimators_, "a MultiOutputClassifier")
    return _head(SIGMOID, rows, intercept, range(len(rows)))


def _binary(estimators: Any, where: str) -> tuple[list[Any], list[Any]]:
    for each in estimators:
        if type(each).__name__ != "LogisticRegression" or len(each.classes_) != 2:
            raise UnservedError(f"{where} of {type(each).__name__}, where LogisticRegression is served")
    return [each.coef_[0].tolist() for each in estimators], [float(each.intercept_[0]) for each in estimators]


def _setfit_head(head: Any) -> dict[str, Any]:
    """Source: SetFitHead.forward."""
    scale = 1 / (head.temperature + head.eps)
    rows = (head.linear.weight.detach().double() * scale).tolist()
    bias = head.linear.bias
    intercept = [0.0] * len(rows) if bias is None else (bias.detach().double() * scale).tolist()
    return _head(SIGMOID if head.multitarget else SOFTMAX, rows, intercept, range(len(rows)))


def _head(function: str, rows: list[Any], intercept: list[Any], classes: Any) -> dict[str, Any]:
    named = [getattr(each, "item", lambda each=each: each)() for each in classes]
    if not all(isinstance(each, str) or (isinstance(each, int) and not isinstance(each, bool)) for each in named):
        raise UnservedError(f"a head whose classes are {named[:3]}, neither texts nor whole numbers")
    return {"function": function, "coefficients": rows, "intercept": intercept, "classes": named}


HEADS = {
    "LogisticRegression": _logistic_regression,
    "OneVsRestClassifier": _one_vs_rest,
    "MultiOutputClassifier": _multi_output,
    "SetFitHead": _setfit_head,
}

if __name__ == "__main__":
    main()
