import subprocess

from utils import ROOT

KEPT = (
    "numpy/__init__.py",
    "numpy/core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so",
    "onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so",
    "openvino/libs/libopenvino.so.2641",
    "openvino/libs/libopenvino_intel_cpu_plugin.so",
    "openvino/libs/libopenvino_onnx_frontend.so.2641",
)
TAKEN = (
    "bin/f2py",
    "numpy/core/_simd.cpython-311-x86_64-linux-gnu.so",
    "numpy/core/include/numpy/arrayobject.h",
    "numpy/f2py/__init__.py",
    "numpy/lib/tests/test_io.py",
    "onnxruntime/capi/libonnxruntime.so.1.31.1",
    "onnxruntime/transformers/optimizer.py",
    "openvino/libs/libopenvino_intel_gpu_plugin.so",
    "openvino/libs/libopenvino_auto_batch_plugin.so",
    "openvino/libs/libopenvino_pytorch_frontend.so.2641",
    "openvino/libs/cache.json",
    "tokenizers/__init__.pyi",
)


def prune(*arguments):
    command = [str(ROOT / "deploy/prune_packages.sh"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_what_runs_stays_and_what_does_not_goes(tmp_path):
    for name in (*KEPT, *TAKEN):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    done = prune(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted(KEPT)


def test_packages_that_are_not_there_need_nothing(tmp_path):
    assert prune(tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_another_call_reports_the_usage(tmp_path):
    for arguments in ((), (tmp_path, tmp_path), (tmp_path / "absent",)):
        done = prune(*arguments)
        assert (done.returncode, done.stderr) == (2, "usage: prune_packages.sh FOLDER\n")
