"""The real Dockerfile on a real engine, with stand-ins for the base images."""

import json
import time
import uuid

import pytest

from tests.image.conftest import BOOKWORM, ECHO_MODEL, TRIXIE, dangling
from tests.image.infer import infer_all
from utils.docker.image import build_and_prove
from utils.docker.running_container import HARDENED, owned
from utils.host.errors import BootProofError, ImageError

MB = 1_000_000
PDF = "NVIDIA_Deep_Learning_Container_License.pdf"
# NVIDIA's three files and the two with which the stand-in runs the graph.
BACKEND = [
    "libonnxruntime.so", "libonnxruntime_providers_shared.so", "libtriton_onnxruntime.so", "model.py", "site-packages",
]  # fmt: skip
INSPECT = """
import importlib.util, json, os, sys
def size(folder):
    files = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    return sum(os.lstat(file).st_size for file in files)
def unreadable(folder):
    return [os.path.join(place, name) for place, folders, files in os.walk(folder)
            for name in folders + files if not os.access(os.path.join(place, name), os.R_OK)]
modules = "numpy tokenizers torch transformers pip setuptools huggingface_hub tkinter ensurepip".split()
import numpy
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "modules": [name for name in modules if importlib.util.find_spec(name)],
    "numpy": numpy.__file__,
    "serving": size("/opt/serving"),
    "licences": [name for name in ("LICENSE", "NOTICE") if os.access("/opt/serving/" + name, os.R_OK)],
    "triton": sorted(os.listdir("/opt/tritonserver")),
    "backend": sorted(os.listdir("/opt/tritonserver/backends/onnxruntime")),
    "unreadable": unreadable("/opt") + unreadable("/models"),
    "root": sorted(os.listdir("/")),
    "models": sorted(os.listdir("/models")),
    "environment": dict(os.environ),
}))
"""


def inspect(engine, image, template):
    return engine.client.run("image", "inspect", "--format", template, image).stdout.strip()


def own_containers(engine):
    """Those of this process."""
    return engine.client.run("ps", "--all", "--quiet", "--filter", f"label={owned()[1]}").stdout.split()


@pytest.fixture(scope="module")
def slim(engine, make_tree):
    """(tree, image id) of a slim image that passed its boot proof."""
    tree = make_tree("slim")
    image_id = build_and_prove(tree.folder, engine=engine, no_cache=False, verify=True, prove=infer_all)
    return tree, image_id


def test_slim_is_tagged_and_small(engine, slim):
    tree, image_id = slim
    assert inspect(engine, tree.image, "{{.Id}}") == image_id
    assert 0 < engine.image_size(image_id) <= 500 * MB
    assert own_containers(engine) == []


def test_labels_are_unchanged(engine, slim):
    labels = json.loads(inspect(engine, slim[1], "{{json .Config.Labels}}"))
    assert json.loads(labels["triton-image-factory.labels"]) == ['a "b"\n$c', "д"]


def test_config_of_the_image(engine, slim):
    config = json.loads(inspect(engine, slim[1], "{{json .Config}}"))
    assert config["User"] == "1000:1000"
    assert set(config["ExposedPorts"]) == {"8000/tcp", "8001/tcp", "8002/tcp"}
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python3"]
    assert config["Entrypoint"] == ["python3", "-I", "-S", "/opt/serving/supervise.py"]
    assert not config["Cmd"]  # arguments of a user follow the entry point


def test_contents_of_slim(engine, slim):
    done = engine.client.run("run", "--rm", "--network", "none", "--entrypoint", "python3", slim[1], "-c", INSPECT)
    found = json.loads(done.stdout)
    assert found["user"] == [1000, 1000]
    assert found["modules"] == ["numpy", "tokenizers"]
    assert found["numpy"].startswith("/opt/serving/")
    assert found["serving"] <= 100 * MB
    assert found["licences"] == ["LICENSE", "NOTICE"]
    assert found["triton"] == ["LICENSE", PDF, "TRITON_VERSION", "backends", "bin", "caches", "lib"]
    assert found["backend"] == BACKEND  # no providers for GPUs, tests, headers
    assert found["unreadable"] == []
    assert found["models"] == ["double", "echo"]
    assert not {"build", "rootfs", "artifacts", "wheelhouse"} & set(found["root"])
    assert "NGC-DL-CONTAINER-LICENSE" in found["root"]
    assert found["environment"]["ORT_DISABLE_TELEMETRY"] == "1"
    assert not found["environment"]["LD_LIBRARY_PATH"].endswith(":")  # an empty entry would be the working directory


def test_runs_without_network_and_stops_in_time(engine, slim):
    command = ["run", "--detach", *HARDENED, "--network", "none", "--label", "triton-image-factory=test"]
    container = engine.client.run(*command, slim[1]).stdout.strip()
    try:
        deadline = time.monotonic() + 30
        check = ("exec", container, "python3", "-I", "-S", "/opt/serving/healthcheck.py")
        while engine.client.run(*check).returncode != 0:
            assert time.monotonic() < deadline, engine.client.run("logs", container, merged=True).stdout
            time.sleep(0.1)
        started = time.monotonic()
        engine.client.run("stop", "--time", "20", container)
        assert time.monotonic() - started < 10
        assert engine.client.run("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip() == "0"
        assert "начало" in engine.client.run("logs", container, merged=True).stdout
    finally:
        engine.client.run("rm", "--force", container)


def test_another_model_changes_the_last_layer_only(engine, slim, make_tree):
    layers = []
    for tree in (make_tree("slim"), make_tree("slim")):
        # A unique model: from several cached builds of one step BuildKit may use any.
        tree.change_model(ECHO_MODEL + f"# {uuid.uuid4()}\n")
        image_id = build_and_prove(tree.folder, engine=engine, no_cache=False, verify=False)
        layers.append(json.loads(inspect(engine, image_id, "{{json .RootFS.Layers}}")))
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]


@pytest.mark.long("*bookworm*")
@pytest.mark.parametrize("standin", [BOOKWORM, TRIXIE], ids=lambda standin: standin.full)
def test_full_image_passes_its_proof(engine, make_tree, standin):
    """tests/image/test_doctor.py proves the slim image on another glibc."""
    tree = make_tree("full", standin)
    build_and_prove(tree.folder, engine=engine, no_cache=False, verify=True, prove=infer_all)


@pytest.mark.long("full")
@pytest.mark.parametrize("runtime", ["slim", "full"])
def test_legacy_builder_builds_both_runtimes(legacy, make_tree, runtime):
    tree = make_tree(runtime)
    build_and_prove(tree.folder, engine=legacy, no_cache=False, verify=True, prove=infer_all)


def test_wrong_answer_leaves_the_tag(engine, make_tree, capfd):
    tree = make_tree("slim")
    old = build_and_prove(tree.folder, engine=engine, no_cache=False, verify=False)
    tree.change_model(ECHO_MODEL.replace("numpy.array(t,", "numpy.array(t[::-1],"))
    with pytest.raises(BootProofError, match="the echo differs"):
        build_and_prove(tree.folder, engine=engine, no_cache=False, verify=True, prove=infer_all)
    assert inspect(engine, tree.image, "{{.Id}}") == old
    assert dangling(engine, f"label=org.opencontainers.image.title={tree.image}") == set()
    assert own_containers(engine) == []
    assert "last lines of the server's log" in capfd.readouterr().err


def test_wrong_answer_of_an_unchanged_image_leaves_the_tag(engine, make_tree):
    """The cache returns the same image: removing it by its id would remove its tag as well."""
    tree = make_tree("slim")
    old = build_and_prove(tree.folder, engine=engine, no_cache=False, verify=False)

    def refuse(address):
        raise BootProofError("no")

    with pytest.raises(BootProofError, match="no"):
        build_and_prove(tree.folder, engine=engine, no_cache=False, verify=True, prove=refuse)
    assert inspect(engine, tree.image, "{{.Id}}") == old


def test_server_that_does_not_start_fails_at_once(engine, make_tree):
    tree = make_tree("slim")
    tree.change_model("import no_such_module\n")
    started = time.monotonic()
    with pytest.raises(BootProofError, match="no_such_module"):
        build_and_prove(tree.folder, engine=engine, no_cache=False, verify=True, prove=infer_all)
    assert time.monotonic() - started < 60
    assert inspect(engine, tree.image, "{{.Id}}") == ""
    assert own_containers(engine) == []


def test_interrupted_proof_leaves_nothing(engine, make_tree):
    tree = make_tree("slim")
    tree.change_model(ECHO_MODEL + "# interrupted\n")

    def interrupt(address):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_and_prove(tree.folder, engine=engine, no_cache=False, verify=True, prove=interrupt)
    assert own_containers(engine) == []
    assert inspect(engine, tree.image, "{{.Id}}") == ""


def test_failing_step_is_quoted(engine, make_tree, capfd):
    tree = make_tree("slim")
    for wheel in (tree.folder / "wheelhouse").glob("numpy-*.whl"):
        wheel.unlink()
    with pytest.raises(ImageError, match="No matching distribution found for numpy"):
        build_and_prove(tree.folder, engine=engine, no_cache=False, verify=False)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "numpy" in captured.err
