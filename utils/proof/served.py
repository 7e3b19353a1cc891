"""served.json: a server's answers to the golden requests of a build tree, for the report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.host import json_values
from utils.host.errors import BootProofError
from utils.proof.golden import TensorValue
from utils.proof.golden_file import converter

SERVED_FILE = "served.json"


@dataclass(frozen=True, kw_only=True)
class ServedRow:
    """The answer to a golden request that was sent alone over HTTP.

    `difference`: the largest of a number and the golden one, over all protocols and batches that held the request.
    """

    outputs: Mapping[str, TensorValue]
    difference: float


def write_served(rows: Sequence[ServedRow], tree: Path) -> None:
    """Writes `tree`/served.json, in the order of golden.json."""
    content = json.dumps(converter().unstructure(tuple(rows)), ensure_ascii=False)
    (tree / SERVED_FILE).write_text(content + "\n", encoding="utf-8")


def read_served(tree: Path) -> tuple[ServedRow, ...]:
    """The answers in the order of golden.json; () without a proof. BootProofError for a damaged file."""
    file = tree / SERVED_FILE
    if not file.is_file():
        return ()
    try:
        return converter().structure(json.loads(file.read_text(encoding="utf-8")), tuple[ServedRow, ...])
    except json_values.invalid(OSError) as error:
        reason = json_values.reason(error)
        raise BootProofError(f"{str(file)!r} cannot be read ({reason}); prove the tree again") from error
