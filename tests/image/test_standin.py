"""Facts of NVIDIA's image that the stand-in has too: docs/conformance.md names the test of each fact."""

import json
import re

import pytest

from tests.image.conftest import BOOKWORM, STANDIN, TRIXIE
from utils import ROOT

TRITON = "/opt/tritonserver"
LINKED = ("bin/tritonserver", "backends/python/libtriton_python.so", "backends/onnxruntime/libtriton_onnxruntime.so")
INSPECT = """
import glob, importlib.util, json, os, pwd, subprocess, sys, sysconfig
def ldd(name):
    done = subprocess.run(["ldd", name], capture_output=True, text=True)
    return [line.split(" (")[0].strip() for line in done.stdout.splitlines()]
os.chdir("/opt/tritonserver")
print(json.dumps({
    "linked": {name: ldd(name) for name in sys.argv[1:]},
    "loader": subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout,
    "environment": dict(os.environ),
    "folder": sorted(os.listdir(".")),
    "user": pwd.getpwnam("triton-server")[2:4],
    "others": sorted({os.stat(path).st_uid for path in glob.glob("**", recursive=True)}),
    "executable": [path for path in glob.glob("backends/onnxruntime/*.so*") if os.access(path, os.X_OK)],
    "providers": sorted(map(os.path.basename, glob.glob("backends/onnxruntime/libonnxruntime_providers_*.so"))),
    "managed": os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")),
    "numpy": importlib.import_module("numpy").__version__,
    "wheels": sorted(map(os.path.basename, glob.glob("python/*.whl"))),
}))
"""


@pytest.fixture(scope="module", params=[BOOKWORM, TRIXIE], ids=lambda standin: standin.suite)
def image(request, make_standin):
    return make_standin(request.param).full


@pytest.fixture(scope="module")
def found(engine, image):
    """The output of INSPECT in the image, run without its entry point."""
    done = engine.client.run("run", "--rm", "--entrypoint", "python3", image, "-c", INSPECT, *LINKED)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_folder_of_triton_is_on_the_loader_path(found):
    assert TRITON not in found["loader"]
    assert TRITON not in found["environment"]["LD_LIBRARY_PATH"]


def test_backends_have_no_path_to_libtritonserver(found):
    server, python, onnxruntime = (found["linked"][name] for name in LINKED)
    assert f"libtritonserver.so => {TRITON}/bin/../lib/libtritonserver.so" in server
    assert not [line for line in server if "not found" in line]
    for backend in (python, onnxruntime):
        assert [line for line in backend if "not found" in line] == ["libtritonserver.so => not found"]
    assert f"libonnxruntime.so => {TRITON}/backends/onnxruntime/libonnxruntime.so" in onnxruntime


def test_cuda_comes_from_its_own_folder(found):
    assert re.search(r"libcudart\S+ .* => /usr/local/cuda-12\.6/targets/x86_64-linux/lib/", found["loader"])


def test_environment(found):
    environment = found["environment"]
    assert environment["LD_LIBRARY_PATH"] == "/opt/hpcx/ucc/lib/:/opt/hpcx/ucx/lib/:"
    assert environment["PYTHONPATH"].startswith(f"{TRITON}/backends/dali/wheel/dali:")
    assert environment["PATH"].startswith(f"{TRITON}/bin:")
    expected = {
        "NVIDIA_TRITON_SERVER_VERSION": "24.10", "TRITON_SERVER_VERSION": "2.51.0", "TRITON_SERVER_GPU_ENABLED": "1",
        "TRITON_SERVER_USER": "triton-server", "NVIDIA_PRODUCT_NAME": "Triton Server", "UCX_MEM_EVENTS": "no",
        "TCMALLOC_RELEASE_RATE": "200", "PIP_BREAK_SYSTEM_PACKAGES": "1",
    }  # fmt: skip
    assert {name: environment.get(name) for name in expected} == expected


def test_user_and_owner(found):
    assert found["user"] == [1000, 1000]
    assert found["others"] == [0]


def test_contents(found):
    expected = {"LICENSE", "TRITON_VERSION", "NVIDIA_Deep_Learning_Container_License.pdf"}
    assert expected | {"bin", "lib", "include", "backends", "caches", "repoagents", "python"} <= set(found["folder"])
    assert found["wheels"] == ["tritonfrontend-2.51.0-py3-none-any.whl", "tritonserver-2.51.0-py3-none-any.whl"]
    assert found["providers"] == [
        f"libonnxruntime_providers_{name}.so" for name in ("cuda", "openvino", "shared", "tensorrt")
    ]


def test_libraries_of_onnxruntime_are_not_executable(found):
    assert found["executable"] == []


def test_python(found):
    assert found["managed"]
    assert found["numpy"].startswith("1.")


def run(engine, image, *arguments):
    done = engine.client.run("run", "--rm", *arguments[:-1], image, *arguments[-1])
    assert done.returncode == 0, done.stderr
    return done


def test_entry_point_prints_on_stdout_and_becomes_the_command(engine, image):
    output = run(engine, image, ["sh", "-c", "echo $STANDIN_ENTRY_SCRIPTS_RAN; echo end; readlink /proc/1/exe"]).stdout
    assert "A stand-in for NVIDIA's" in output and "WARNING: The NVIDIA Driver was not detected." in output
    assert re.search(r"\n\n1\nend\n\S*sh\n$", output)


def test_entry_point_turns_a_command_into_arguments_for_vertex_ai(engine, image):
    done = engine.client.run("run", "--rm", "--env", "AIP_MODE=PREDICTION", image, "sh", "-c", "echo bypassed")
    assert "Usage: tritonserver" in done.stdout + done.stderr
    assert "\nbypassed" not in done.stdout


def test_pins_agree_with_those_of_the_local_server():
    def pins(file):
        lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
        return {line.split("==")[0]: line for line in lines if line and "3.13" not in line}

    ours, local = pins(STANDIN / "requirements.txt"), pins(ROOT / "deploy/pypi_triton/requirements.txt")
    assert set(ours) & set(local) >= {"nvidia-pytriton", "onnxruntime"}
    assert all(ours[name] == local[name] for name in set(ours) & set(local))
