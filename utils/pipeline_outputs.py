"""What a pipeline passes to its next jobs, from the report that `make_triton_image.sh --json` printed.

    python3 utils/launch.py utils.pipeline_outputs REPORT --form github >>"${GITHUB_OUTPUT}"
    python3 utils/launch.py utils.pipeline_outputs REPORT --form dotenv >images.env

Standard library only. Failed builds of a list are left out. An empty report gives no outputs.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.host import entry
from utils.host.errors import UsageError

# The outputs and their keys in the report; each may have one value a build.
KEYS = ("image", "digest", "model_repository")


def as_github(text: str) -> str:
    """`name<<delimiter` blocks, one value a line, and the report itself. The delimiter cannot be guessed."""
    values = {**{key: "\n".join(_values(text, key)) for key in KEYS}, "report": text.strip()}
    end = secrets.token_hex(16)
    return "\n".join(f"{key}<<{end}\n{value}\n{end}" for key, value in values.items())


def as_dotenv(text: str) -> str:
    """`IMAGE=` and `DIGEST=`, with a space between values: a dotenv value is one line."""
    return "\n".join(f"{key.upper()}={' '.join(_values(text, key))}" for key in ("image", "digest"))


FORMS = {"github": as_github, "dotenv": as_dotenv}


def _values(text: str, key: str) -> list[str]:
    report: dict[str, Any] = json.loads(text)
    return [build[key] for build in report.get("builds", [report]) if build.get(key)]


def pipeline_outputs(argv: Sequence[str]) -> str:
    """The outputs of the report in `argv`; UsageError (exit 2) if it is no report."""
    parser = entry.Parser(prog="pipeline_outputs", description="Outputs of a pipeline, from a report of --json.")
    parser.add_argument("report", metavar="REPORT", type=Path, help="the file with the JSON object")
    parser.add_argument("--form", choices=sorted(FORMS), required=True, help="where the outputs go")
    arguments: argparse.Namespace = parser.parse_args(argv)
    try:
        text = arguments.report.read_text(encoding="utf-8")
        return FORMS[arguments.form](text) if text.strip() else ""
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(
            f"REPORT {str(arguments.report)!r} is no report of make_triton_image.sh --json ({error}); give its stdout"
        ) from error


if __name__ == "__main__":
    entry.run(lambda: pipeline_outputs(sys.argv[1:]))
