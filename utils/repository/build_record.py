"""build.json of a build tree: what the build was asked for, and what its checks measured. For the provenance."""

import json
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from utils.host import source_date

RECORD_FILE = "build.json"


def begin(tree: Path, **values: Any) -> None:
    """Starts the record of a build, with the time and an id of this invocation."""
    started = source_date.as_text(datetime.now(timezone.utc))
    add(tree, invocationId=f"urn:uuid:{uuid.uuid4()}", startedOn=started, **values)


def add(tree: Path, **values: Any) -> None:
    """Sets JSON values in the record of `tree`; None removes one."""
    whole = {**read(tree), **values}
    kept = {name: value for name, value in whole.items() if value is not None}
    (tree / RECORD_FILE).write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(tree: Path) -> dict[str, Any]:
    """The record of `tree`; {} for a tree without."""
    file = tree / RECORD_FILE
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
