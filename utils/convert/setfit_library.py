"""What setfit's own classes need for a head that it does not read, and how its answers are read."""

import importlib
from pathlib import Path
from typing import Any


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
