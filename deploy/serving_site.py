"""Runs at the start of every Python in the image, through serving.pth in its site folder.

Up to 24.10, Triton's stub starts an isolated Python if that is 3.11 or newer (pybind11 before 2.10.1). It ignores
PYTHONPATH, PYTHONIOENCODING and the locale: numpy is not found, and stdout and open() use ASCII (run on 24.10).
"""

import _locale  # `locale` imports many modules
import contextlib
import io
import sys

SERVING = "/opt/serving"

# Before the base's own site folder, so that the image imports the versions it was proven with.
if SERVING not in sys.path:
    sys.path.insert(0, SERVING)
with contextlib.suppress(_locale.Error):  # type: ignore[attr-defined]
    _locale.setlocale(_locale.LC_CTYPE, "C.UTF-8")
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
