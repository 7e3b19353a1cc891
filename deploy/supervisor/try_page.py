"""The try-it page: a few static files, which the guard answers itself at /try/ (TRITON_TRY_PAGE)."""

import os
import re
from collections.abc import Mapping

FOLDER, DATA = "try_page", "try.json"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
# No code and no style but that of the files, no other host, and no frame around the page. Pictures that a user chooses
# have blob: addresses.
_POLICY = "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_REQUEST = re.compile(rb"(GET|HEAD) (/[^ ?]*)(?:\?[^ ]*)? HTTP/1\.[01]\r\n")
# Relative, so that they hold behind a proxy that adds a path.
_REDIRECTS = {b"/": "try/", b"/try": "try/"}


class TryPage:
    """Answers GET and HEAD of the names in `files` ({name below /try/: content}, "" for /try/ itself)."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._answers = {path: _answer("302 Found", b"", Location=place) for path, place in _REDIRECTS.items()}
        for name, content in files.items():
            kind = _TYPES[os.path.splitext(name or "index.html")[1]]  # noqa: PTH122 - see canary.py
            self._answers[b"/try/" + name.encode()] = _answer("200 OK", content, Content_Type=kind)

    def answer(self, head: bytes) -> tuple[int, bytes, bytes] | None:
        """The status, head and body for a request with this head, or None if it is not for the page.

        Names are looked up, so that no path leads to another file. The connection ends after the answer.
        """
        found = _REQUEST.match(head)
        answer = self._answers.get(found[2]) if found else None
        if not found or not answer:
            return None
        own, body = answer
        return int(own[9:12]), own, b"" if found[1] == b"HEAD" else body


def _answer(status: str, body: bytes, **fields: str) -> tuple[bytes, bytes]:
    named = {
        **{name.replace("_", "-"): value for name, value in fields.items()},
        "Content-Length": str(len(body)),
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode(), body


def read(folder: str, data: str) -> TryPage:
    """The page of the files in `folder`, with the JSON file `data` about the model. Raises OSError."""
    files = {name: _content(os.path.join(folder, name)) for name in os.listdir(folder)}  # noqa: PTH118, PTH208
    files[DATA] = _content(data)
    files[""] = files.pop("index.html")
    return TryPage(files)


def _content(file: str) -> bytes:
    with open(file, "rb") as content:  # noqa: PTH123
        return content.read()
