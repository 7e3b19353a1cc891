"""The child process of bounded.py: one request on stdin, one answer on stdout, then exit."""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn, cast

from utils.host import entry
from utils.host.errors import SourceError
from utils.host.streams import take_stdout
from utils.sources.storage import Storage
from utils.sources.storage.certificates import is_untrusted, untrusted
from utils.sources.storage.scrub import scrub


def main() -> NoReturn:
    """Answers with {"value": ...} or {"error": one sentence}."""
    answer = take_stdout()  # SDKs print to stdout, too
    answer.write(json.dumps(answer_to(json.load(sys.stdin))).encode())
    answer.close()
    # Threads and exit hooks of an SDK must not delay the end.
    os._exit(0)


def answer_to(request: dict[str, Any]) -> dict[str, str]:
    """Runs the request; every error becomes a sentence without secrets."""
    try:
        storage = cast(Storage, importlib.import_module(request["module"]))
        arguments = request["arguments"]
        if request["function"] == "resolve":
            return {"value": storage.resolve(arguments["locator"])}
        patterns, destination = tuple(arguments["patterns"]), Path(arguments["destination"])
        return {"value": str(storage.fetch(arguments["locator"], arguments["revision"], patterns, destination))}
    except Exception as error:
        if entry.debugging():
            print(scrub(traceback.format_exc()), file=sys.stderr, flush=True)
        return {"error": scrub(_sentence(request["reference"], error))}


def _sentence(reference: str, error: Exception) -> str:
    if is_untrusted(error):
        return untrusted(reference)
    if isinstance(error, SourceError):
        return str(error)
    reason = next(iter(str(error).strip().splitlines()), "")
    shown = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return f"{reference} could not be read ({shown}); run again with --debug for the traceback"
