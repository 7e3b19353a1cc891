"""Run at the start of every Python in the image, by serving.pth in its site folder.

Triton's stub starts an isolated Python on some releases (pybind11 before 2.10.1 on Python 3.11 and newer): PYTHONPATH,
PYTHONIOENCODING and the locale count for nothing there. Measured on 24.10: numpy not found, stdout and open() in ASCII.
"""

import _locale
import contextlib
import io
import sys

SERVING = "/opt/serving"

# Before the base's own site folder: the image must import the versions it was proven with.
if SERVING not in sys.path:
    sys.path.insert(0, SERVING)
with contextlib.suppress(_locale.Error):
    _locale.setlocale(_locale.LC_CTYPE, "C.UTF-8")
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
