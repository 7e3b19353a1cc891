"""The conversion: how far the graph, its tokenizer and its precision are from the reference model."""

from collections.abc import Sequence
from dataclasses import dataclass

from utils.release.ingredients import OURS
from utils.report.section import Figure, Finished


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The figures of the parity check; None for what was not checked.

    tokenizer_texts: with all ids equal to those of the model's own tokenizer. rows: compared with PyTorch, in batches
    of different lengths. largest_difference, same_choice: of the graph's outputs, before the precision is reduced.
    agreement, drift_...: of the reduced precision; see convert/agreement.py.
    """

    precision: str
    tokenizer_texts: int | None = None
    rows: int | None = None
    largest_difference: float | None = None
    same_choice: float | None = None
    largest_difference_unmerged: float | None = None
    agreement: float | None = None
    drift_median: float | None = None
    drift_95: float | None = None
    drift: float | None = None


def make(finished: Finished) -> Conversion | None:
    """From build.json; None for a ready graph, which is served as it is."""
    figures = finished.record.get("parity")
    if not figures:
        return None
    known = {name: value for name, value in figures.items() if name in Conversion.__dataclass_fields__}
    return Conversion(precision=finished.context.oci_labels.get(f"{OURS}.precision", ""), **known)


def figures(conversion: Conversion) -> Sequence[Figure]:
    """The agreement of a reduced precision."""
    if conversion.agreement is None:
        return ()
    value = f"{100 * conversion.agreement:.4g}%"
    return (Figure(label="Agreement", value=value, note=f"{conversion.precision} with PyTorch"),)
