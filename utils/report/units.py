"""Numbers as a person reads them."""

UNITS = ("B", "kB", "MB", "GB", "TB")
# Metrics of an evaluation. SHARES are those of rows, labels or entities.
METRICS = {
    "accuracy": "Accuracy",
    "exact_match": "Exact match",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "f1_micro": "F1, micro average",
    "f1_macro": "F1, macro average",
    "f1_weighted": "F1, weighted average",
    "spearman": "Spearman's correlation",
    "pearson": "Pearson's correlation",
    "mean_absolute_error": "Mean absolute error",
    "root_mean_squared_error": "Root mean squared error",
}
SHARES = tuple(METRICS)[:8]


def size(count: float) -> str:
    """Bytes as "1.23 MB"."""
    for unit in UNITS[:-1]:
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} {UNITS[-1]}"


def seconds(value: float) -> str:
    """A time as "12.3 ms" or "1.2 s"."""
    return f"{value:.2g} s" if value >= 0.9995 else f"{1000 * value:.3g} ms"


def number(value: float) -> str:
    """A number with three digits."""
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as "99.25%"."""
    return f"{100 * value:.4g}%"


def metric_name(name: str) -> str:
    """A metric of an evaluation as people call it."""
    return METRICS[name]


def metric(value: float | None, name: str) -> str:
    """Its value: a share, or another number."""
    if value is None:
        return "undefined"
    return percent(value) if name in SHARES else number(value)
