"""Ready graphs of every trait in one repository, each served under its own name with what the graph says of itself."""

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
import tritonclient.grpc
import tritonclient.http

from tests import small_graphs
from tests.server.task_requests import build
from utils.host.build_tree import BUILD

NAME = "test-text-detection"
BESIDE = {
    "text_recognition": small_graphs.recognition,
    "scalars": small_graphs.scalars,
    "one_number_a_row": small_graphs.one_number_a_row,
    "kinds": small_graphs.kinds,
    "external": small_graphs.external,
    "mixing": small_graphs.mixing,
    "inferable": small_graphs.inferable,
    "Disagreeing-2": small_graphs.disagreeing,
}
CLIENTS = {"http": tritonclient.http, "grpc": tritonclient.grpc}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs with spaces")
    made = {name: make(folder / f"{name}.onnx") for name, make in BESIDE.items()}
    return {NAME: small_graphs.detection(folder / "detection.onnx"), **made}


@pytest.fixture(scope="module")
def built(files):
    added = [word for name in BESIDE for word in ("--add-model", f"{name}={files[name]}")]
    done = build(files[NAME], "-", "-", NAME, "v1", 8, "--task", "onnx", *added)
    assert done.returncode == 0, done.stderr
    yield done
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


@pytest.fixture(scope="module")
def server(built, serve_repository):
    return serve_repository(BUILD / NAME / "v1/model_repository").address


@pytest.fixture(params=CLIENTS)
def ask(request, server):
    """`ask(model, inputs, version="")`: {output name: array}."""
    library = CLIENTS[request.param]

    def infer(model, inputs, version="", address=server):
        tensors = []
        for name, array in inputs.items():
            tensors.append(library.InferInput(name, list(array.shape), library_dtype(array)))
            tensors[-1].set_data_from_numpy(array)
        with library.InferenceServerClient(getattr(address, request.param)) as connected:
            result = connected.infer(model, tensors, model_version=version)
            response = result.get_response()
        outputs = response["outputs"] if isinstance(response, dict) else response.outputs
        names = [each["name"] if isinstance(each, dict) else each.name for each in outputs]
        return {name: result.as_numpy(name) for name in names}

    return infer


def library_dtype(array):
    from tritonclient.utils import np_to_triton_dtype

    return np_to_triton_dtype(array.dtype)


def directly(file, inputs):
    """What ONNX Runtime says by itself."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return dict(zip([node.name for node in session.get_outputs()], session.run(None, inputs), strict=True))


def configs():
    repository = BUILD / NAME / "v1/model_repository"
    return {path.parent.name: path.read_text(encoding="utf-8") for path in repository.glob("*/config.pbtxt")}


def test_each_graph_is_a_model_of_its_own_and_was_proven(built):
    assert set(configs()) == {NAME, *BESIDE}
    golden = json.loads((BUILD / NAME / "v1/golden.json").read_text(encoding="utf-8"))
    assert {row["model"] for row in golden["rows"]} == {NAME, *BESIDE}
    assert f"{len(golden['rows'])} golden requests over HTTP and gRPC: answers equal" in built.stderr


def test_batching_is_where_rows_are_independent():
    batched = {name for name, text in configs().items() if "max_batch_size: 8" in text}
    assert batched == {NAME, "one_number_a_row", "kinds", "external", "inferable"}
    assert all("max_batch_size: 0" in text for name, text in configs().items() if name not in batched)


def test_requests_share_a_run_where_no_value_can_make_it_fail():
    """`kinds` takes texts and integers: one of them could fail the run of others."""
    merged = {name for name, text in configs().items() if "dynamic_batching" in text}
    assert merged == {NAME, "one_number_a_row", "external", "inferable"}


def test_a_size_that_the_file_leaves_free_is_the_sessions(files, ask):
    """The ONNX Runtime backend refuses any other: it compares the config's outputs with its session's."""
    assert 'name: "y"\n    data_type: TYPE_FP32\n    dims: [ 5 ]' in configs()["inferable"]
    x = np.array([[1, 2, 3], [0, 0, 1]], dtype=np.float32)
    np.testing.assert_allclose(ask("inferable", {"x": x})["y"], directly(files["inferable"], {"x": x})["y"])


def test_detection_then_recognition_as_the_tutorial_asks(files, ask):
    """Two models of one repository, one after the other, under the names that the converters gave their tensors."""
    image = np.random.default_rng(8).random((1, 64, 96, 3), dtype="float32")
    found = ask(NAME, {"input_images:0": image})
    expected = directly(files[NAME], {"input_images:0": image})
    assert set(found) == {"feature_fusion/Conv_7/Sigmoid:0", "feature_fusion/concat_3:0"}
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=1e-5)
    cut = found["feature_fusion/concat_3:0"][0, :32, :, :1].reshape(1, 1, 32, 96)
    cut = np.pad(cut, [(0, 0), (0, 0), (0, 0), (0, 4)])
    read = ask("text_recognition", {"input.1": cut})["308"]
    np.testing.assert_allclose(read, directly(files["text_recognition"], {"input.1": cut})["308"], atol=1e-4)


@pytest.mark.parametrize("size", [32, 96])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_images_of_any_size_in_batches(files, ask, rows, size):
    images = np.random.default_rng(rows).random((rows, size, size, 3), dtype="float32")
    expected = directly(files[NAME], {"input_images:0": images})
    for name, array in ask(NAME, {"input_images:0": images}).items():
        np.testing.assert_allclose(array, expected[name], atol=1e-5)


def test_half_precision_truth_values_texts_and_doubles(ask):
    half = np.array([[0.5, -2], [3, 4]], dtype="float16")
    flag, number = np.array([[True, False]] * 2), np.array([[1, -(2**53)], [3, 4]])
    text = np.array([["é", "помощь"], ["", "🦊"]], dtype=object)
    encoded = np.vectorize(lambda value: value.encode(), otypes=[object])(text)
    answer = ask("kinds", {"half": half, "flag": flag, "text": encoded, "number": number})
    assert answer["half_out"].dtype == "float16" and (answer["half_out"] == half * 2).all()
    assert (answer["flag_out"] == ~flag).all()
    assert [value.decode() for value in answer["text_out"].reshape(-1)] == text.reshape(-1).tolist()
    assert answer["number_out"].dtype == "float64" and (answer["number_out"] == number).all()


def test_scalars_are_served_as_one_number(ask):
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype="float32")
    answer = ask("scalars", {"x": x, "factor": np.array([10], dtype="float32")})
    assert (answer["y"] == x * 10).all()
    assert answer["most"].tolist() == [60]
    rows = ask("one_number_a_row", {"x": np.array([[1], [2], [3]], dtype="float32")})["y"]
    assert rows.tolist() == [[2], [4], [6]]


def test_shapes_that_disagree_are_served_whole(ask):
    a, b = np.ones((2, 3), dtype="float32"), np.full((3, 5), 2, dtype="float32")
    assert ask("Disagreeing-2", {"a": a, "b": b})["y"].tolist() == [[6] * 5] * 2


def test_weights_in_a_file_of_their_own_come_along(files, ask):
    x = np.eye(8, dtype="float32")
    np.testing.assert_allclose(ask("external", {"x": x})["y"], directly(files["external"], {"x": x})["y"], rtol=1e-5)
    assert (BUILD / NAME / "v1/model_repository/external/1/external.onnx.data").is_file()


def test_what_the_graph_does_not_take_is_refused(ask):
    for model, inputs in (
        (NAME, {"input_images:0": np.zeros((1, 32, 32, 4), dtype="float32")}),
        (NAME, {"images": np.zeros((1, 32, 32, 3), dtype="float32")}),
        ("text_recognition", {"input.1": np.zeros((2, 1, 32, 100), dtype="float32")}),
        ("scalars", {"x": np.zeros((2, 3), dtype="float32")}),
    ):
        with pytest.raises(tritonclient.utils.InferenceServerException):
            ask(model, inputs)


@pytest.fixture
def name():
    yield "test-versions"
    shutil.rmtree(BUILD / "test-versions", ignore_errors=True)


def multiplying(file, factor):
    nodes = [small_graphs.node("Mul", ["x", "by"], ["y"])]
    shape = ["batch", 3]
    return small_graphs.save(
        file, nodes, [small_graphs.tensor("x", small_graphs.FLOAT, shape)],
        [small_graphs.tensor("y", small_graphs.FLOAT, shape)], [small_graphs.constant("by", [factor] * 3)],
    )  # fmt: skip


@pytest.mark.long("grpc")
def test_versions_beside_one_another(name, tmp_path, serve_repository, ask):
    """A second version joins the first; a third comes from another tag's, and the policy hides the first."""
    two, three, five = (multiplying(tmp_path / f"{factor}.onnx", factor) for factor in (2, 3, 5))
    third = ("--model-version", 3, "--versions-of", "v1", "--version-policy", "latest:2")
    second = ("--model-version", 2, "--no-verify")
    for file, tag, options in ((two, "v1", ["--no-verify"]), (three, "v1", second), (five, "v2", third)):
        done = build(file, "-", "-", name, tag, 4, "--task", "onnx", *options)
        assert done.returncode == 0, done.stderr
    assert "8 golden requests" in done.stderr  # of versions 2 and 3; 1 is there and not served
    config = (BUILD / name / "v1/model_repository" / name / "config.pbtxt").read_text(encoding="utf-8")
    assert "version_policy { all { } }" in config
    x = np.array([[1, 2, 3]], dtype="float32")
    for tag, factors, hidden in (("v1", {1: 2, 2: 3}, 3), ("v2", {2: 3, 3: 5}, 1)):
        address = serve_repository(BUILD / name / tag / "model_repository").address
        for version, factor in factors.items():
            assert (ask(name, {"x": x}, str(version), address)["y"] == x * factor).all()
        assert (ask(name, {"x": x}, "", address)["y"] == x * max(factors.values())).all()
        with pytest.raises(tritonclient.utils.InferenceServerException):
            ask(name, {"x": x}, str(hidden), address)
    kept = json.loads((BUILD / name / "v2/golden_hidden.json").read_text(encoding="utf-8"))
    assert {row["version"] for row in kept["rows"]} == {1}
    other = small_graphs.doubling(tmp_path / "other.onnx", shape=("batch", 4))
    done = build(other, "-", "-", name, "v2", 4, "--task", "onnx", "--model-version", 4)
    assert done.returncode == 6, done.stderr
    assert "all versions of a model share one config" in done.stderr


BAD = {
    "not a graph": (3, "is no ONNX file", lambda file: file.write_text("no graph")),
    "newer than the release": (4, "--release", lambda file: small_graphs.doubling(file, opset=21, ir=10)),
    "random": (4, "otherwise each time", small_graphs.random),
    "no inputs to guess": (4, "--golden-inputs FILE.npz", small_graphs.picky),
    "bfloat16": (4, "BFLOAT16", lambda file: small_graphs.doubling(file, small_graphs.BFLOAT16)),
    "size 0": (4, "no dimension of size 0", lambda file: small_graphs.doubling(file, out_shape=("batch", 0))),
    "weights missing": (3, "copy that file, too", lambda file: without_weights(small_graphs.external(file))),
    "unknown operator": (4, "cannot load", lambda file: unknown(small_graphs.doubling(file))),
}


def without_weights(file):
    (file.parent / f"{file.name}.data").unlink()


def unknown(file):
    model = onnx.load(str(file))
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, str(file))


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_served_is_reported_in_a_sentence(what, tmp_path):
    code, message, make = BAD[what]
    file = tmp_path / "bad.onnx"
    make(file)
    done = build(file, "-", "-", "test-bad-graph", "--task", "onnx", "--release", "24.01")
    assert done.returncode == code, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert message in line
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert not (BUILD / "test-bad-graph").exists()


def test_a_graph_from_a_bucket_or_a_hub_is_the_same(tmp_path, name):
    """A folder with one graph and its weights, wherever it lies."""
    from tests.loopback.hub import HubServer

    small_graphs.external(tmp_path / "repository" / "some.onnx")
    with HubServer({"user/graph": tmp_path / "repository"}) as hub:
        import os

        env = {**os.environ, **hub.environment(tmp_path / "cache")}
        done = build("hf:user/graph", "-", "-", name, "--task", "onnx", "--no-verify", env=env)
        commit = hub.commit("user/graph")
    assert done.returncode == 0, done.stderr
    assert f"hf:user/graph is revision {commit}" in done.stderr
    found = {path.name for path in (BUILD / name / "latest/model_repository" / name / "1").iterdir()}
    assert found == {"model.onnx", "some.onnx.data"}
