"""A second build of the same model takes what the first one converted, and neither torch nor transformers."""

import json
import os
import shutil
import subprocess
import sys

import onnx
import pytest

from tests import tiny_models, warm_builds
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.proof.golden_file import read_golden

NAME = "test-kept-conversions"
# The main job where torch and transformers cannot be imported, and onnx only by the report, after the proof.
WITHOUT_TORCH = """
import sys

def is_for_report():
    frame, names = sys._getframe(), []
    while frame := frame.f_back:
        names.append(frame.f_globals["__name__"])
    return "utils.report.graph_size" in names

class Blocker:
    def find_spec(self, name, path=None, target=None):
        package = name.partition(".")[0]
        if package in ("torch", "transformers", "optimum", "onnx", "onnxruntime"):
            if package != "onnx" or not is_for_report():
                raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
from utils.make_triton_image import make_triton_image
print(make_triton_image(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """`build(*arguments)`: the main job without torch, with a cache of this module's own; `torch`=True: with torch."""
    folder = tmp_path_factory.mktemp("cache")
    environment = os.environ | {
        "TRITON_FACTORY_CACHE_GB": "1",
        "XDG_CACHE_HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "ORT_DISABLE_TELEMETRY": "1",
    }

    def run(*arguments, torch=False):
        words = [*map(str, arguments), "--no-image", "--no-verify"]
        if torch:
            return warm_builds.build(words, environment, ROOT)
        command = [sys.executable, "-c", WITHOUT_TORCH, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    yield run
    for path in BUILD.glob(f"{NAME}*"):
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory, build):
    folder = tiny_models.bert(tmp_path_factory.mktemp("models") / "bert")
    done = build(folder, folder, "-", NAME, "v1", 3, torch=True)
    assert done.returncode == 0, done.stderr
    return folder


def golden(name, tag):
    return read_golden(BUILD / name / tag / "golden.json")


def test_another_name_tag_batch_size_k_and_place(build, model, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(model, moved)
    done = build(moved, moved, "-", f"{NAME}-b", "v2", 2, "--top-k", 2, "--layout", "fused")
    assert done.returncode == 0, done.stderr
    assert "taken from the cache of conversions" in done.stderr
    answers = [[row.outputs for row in golden(name, tag).rows] for name, tag in ((NAME, "v1"), (f"{NAME}-b", "v2"))]
    assert answers[0] == answers[1]


def test_other_labels(build, model, tmp_path):
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(["один", "zwei", "{three}"]), encoding="utf-8")
    done = build(model, model, labels, NAME, "labels", 3)
    assert done.returncode == 0, done.stderr
    first, other = golden(NAME, "v1").rows[0].outputs, golden(NAME, "labels").rows[0].outputs
    assert first["scores"] == other["scores"]
    places = [tiny_models.LABELS.index(label) for label in first["predicts"].data]
    assert other["predicts"].data == tuple(["один", "zwei", "{three}"][place] for place in places)


@pytest.mark.parametrize(
    "options", [["--precision", "int8"], ["--max-length", "16"], ["--input-dtype", "INT32"], ["--no-cache"]]
)
def test_what_changes_the_graph_is_converted(build, model, options):
    done = build(model, model, "-", NAME, "other", 3, *options)
    assert done.returncode != 0 and "is blocked" in done.stderr


def test_a_user_can_load_what_was_built_and_taken_from_the_cache(build, tmp_path):
    """`onnx.load` refuses external data with a second name; an embedding of 1 MiB is external data."""
    folder = tiny_models.bert(tmp_path / "bert", positions=8192)
    for tag in ("first", "cached"):
        done = build(folder, folder, "-", NAME, tag, 1, "--max-length", 16, torch=tag == "first")
        assert done.returncode == 0, done.stderr
    for tag in ("first", "cached"):
        tree = BUILD / NAME / tag
        (graph,) = (tree / "model_repository").rglob("model.onnx")
        tables = [each for each in onnx.load(graph).graph.initializer if len(each.raw_data) >= 1 << 20]
        assert [list(each.dims) for each in tables] == [[8192, 32]]
        data = graph.with_name("model.onnx_data")
        (weights,) = (tree / "weights").rglob(data.name)
        (original,) = (tree / "artifacts").rglob(data.name)
        assert data.stat().st_nlink == 1
        assert original.samefile(weights) and weights.read_bytes() == data.read_bytes()


def test_larger_batches_are_checked(build, model):
    done = build(model, model, "-", NAME, "other", 4)
    assert done.returncode != 0 and "is blocked" in done.stderr
