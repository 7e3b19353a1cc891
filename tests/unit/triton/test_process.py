"""utils.triton.process without a server."""

import io
import sys
from pathlib import Path

from utils.triton.layout import Interpreter
from utils.triton.process import ServerLog, _environment

LOG = b"""\
W1121 02:34:28.542990 1 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory"
E1121 02:34:28.543118 1 server.cc:241] "CudaDriverHelper has not been initialized."
E1121 02:34:28.543200 1 backend_model.cc:692] "ERROR: Failed to create instance: ValueError: no such label"
E1121 02:34:28.543881 1 model_lifecycle.cc:642] "failed to load 'x': ValueError: no such label\\n\\nAt:\\n  /m.py(3)"
+-------+
| Model |
+-------+
Error: Failed to initialize NVML
I1121 02:34:28.544862 1 server.cc:336] "All models are stopped, unloading models"
error: creating server: Internal - failed to load all models
"""


def log_of(content, copy=None):
    log = ServerLog(io.BytesIO(content), copy)
    log.close()
    return log


def test_the_reason_is_the_error_lines():
    assert log_of(LOG).reason().splitlines() == [
        "E1121 02:34:28.543881 1 model_lifecycle.cc:642] \"failed to load 'x': ValueError: no such label",
        "error: creating server: Internal - failed to load all models",
    ]


def test_without_errors_the_reason_is_the_last_lines():
    assert log_of(b"".join(b"line %d\n" % number for number in range(50))).reason().splitlines()[-1] == "line 49"


def test_the_reason_of_a_usage_error_is_its_last_line():
    usage = b"Usage: tritonserver [options]\n  --log-error <boolean>\n\nThe server cannot listen to HTTP\n\n"
    assert log_of(usage).reason() == "The server cannot listen to HTTP"


def test_a_log_that_is_not_utf_8_is_kept_and_copied():
    copy = io.BytesIO()
    log = log_of("текст\n".encode() + b"\xff\n", copy)
    assert log.text() == "текст\n\ufffd\n"
    assert copy.getvalue() == "текст\n".encode() + b"\xff\n"


def test_a_closed_copy_does_not_stop_the_log():
    copy = io.BytesIO()
    copy.close()
    assert log_of(b"one\ntwo\n", copy).text() == "one\ntwo\n"


def test_no_python_setting_of_the_caller_reaches_the_server(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/project")
    monkeypatch.setenv("VIRTUAL_ENV", "/venv")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    version = "3.11"
    (tmp_path / f"libpython{version}.so.1.0").touch()
    interpreter = Interpreter(
        python=Path(sys.executable), site_packages=tmp_path, version=version, library_folders=(tmp_path,)
    )
    environment = _environment(interpreter, Path("/triton"))
    assert {name for name in environment if name.startswith("PYTHON")} == {"PYTHONIOENCODING"}
    assert "VIRTUAL_ENV" not in environment
    assert environment["PATH"].startswith(f"{Path(sys.executable).parent}:")
    assert environment["LD_LIBRARY_PATH"] == f"/triton/lib:{tmp_path}:/mine"
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["LC_ALL"] == "C.UTF-8"
