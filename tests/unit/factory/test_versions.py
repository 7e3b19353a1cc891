import json
from dataclasses import replace

import pytest

from utils.factory import versions
from utils.factory.versions import HIDDEN_FILE, inspect_versions
from utils.host import build_tree
from utils.host.errors import RenderError, UsageError
from utils.options.build_spec import parse_arguments
from utils.proof.golden import GoldenAnswers, GoldenRow, numbers
from utils.proof.golden_file import read_golden
from utils.repository.assemble import assemble
from utils.repository.check import parse_config
from utils.repository.context import Context, read_context, write_context
from utils.repository.pipeline import Pipeline, Step
from utils.repository.tensors import TensorSpec

np = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def builds(tmp_path, monkeypatch):
    monkeypatch.setattr(build_tree, "BUILD", tmp_path / "build")
    return tmp_path / "build"


def spec_of(*options, tag="v1", size=8, name="curse"):
    return parse_arguments(["./m.onnx", "-", "-", name, tag, str(size), "--task", "onnx", *map(str, options)])


def build(builds, *options, tag="v1", dims=(3,), beside=(), size=8):
    """What the main job does with versions, on graphs that are only files: the tree at its place."""
    found = inspect_versions(spec_of(*options, tag=tag, size=size))
    folder = builds / ".work" / "new"
    (folder / "artifacts").mkdir(parents=True)
    model = folder / "artifacts/model.onnx"
    model.write_text(f"version {found.version}")
    model.with_name("model.onnx_data").write_text(f"weights {found.version}")
    tensors = tuple(TensorSpec(name=name, dtype="FP32", dims=dims) for name in ("x", "y"))
    step = Step(
        model_name="curse", component="model_onnx", max_batch_size=size, inputs=tensors[:1], outputs=tensors[1:],
        files={name: model.with_name(name) for name in ("model.onnx", "model.onnx_data")},
    )  # fmt: skip
    planned = Pipeline(
        model_name="curse", max_batch_size=size, layout="direct", inputs=step.inputs, outputs=step.outputs,
        steps=(step, *(replace(step, model_name=name) for name in beside)),
    )  # fmt: skip
    pipeline = found.add_to(planned, folder)
    write_context(Context(pipeline=pipeline, image="i:t", device="cpu", docker={}, oci_labels={}), folder)
    value = numbers("FP32", np.full(3, found.version))
    row = GoldenRow(model="curse", batched=True, inputs={"x": value}, outputs={"y": value})
    others = [replace(row, model=name) for name in beside]
    found.write_golden(GoldenAnswers(rows=(row, *others), comparison="tensors"), pipeline, folder)
    assemble(pipeline, folder / "model_repository")
    (folder / build_tree.SENTINEL).touch()
    return build_tree.move_into_place(folder, builds / "curse" / tag)


def contents(tree):
    folder = tree / "model_repository" / "curse"
    return {path.parent.name: path.read_text() for path in folder.glob("*/model.onnx")}


def golden_paths(tree, file="golden.json"):
    return [row.path for row in read_golden(tree / file).rows]


def policy(tree):
    return str(parse_config(tree / "model_repository/curse/config.pbtxt").version_policy).split()


def test_without_a_word_there_is_version_1_by_itself(builds):
    build(builds)
    tree = build(builds)
    assert contents(tree) == {"1": "version 1"}
    assert policy(tree) == [] and golden_paths(tree) == ["curse"]
    assert "version" not in json.loads((tree / "golden.json").read_text())["rows"][0]


def test_a_version_joins_those_before(builds):
    build(builds)
    build(builds, "--model-version", 2)
    tree = build(builds, "--model-version", 4)
    assert contents(tree) == {"1": "version 1", "2": "version 2", "4": "version 4"}
    assert policy(tree) == ["all", "{", "}"]
    assert sorted(golden_paths(tree)) == ["curse/versions/1", "curse/versions/2", "curse/versions/4"]


def test_the_weights_of_each_version_have_one_name(builds):
    build(builds, "--model-version", 1)
    tree = build(builds, "--model-version", 2)
    weights = {path.parent.name: path for path in (tree / "model_repository").rglob("model.onnx_data")}
    assert {number: path.read_text() for number, path in weights.items()} == {"1": "weights 1", "2": "weights 2"}
    assert [path.stat().st_nlink for path in weights.values()] == [1, 1]
    next_one, alone = inspect_versions(spec_of("--model-version", 3)), inspect_versions(spec_of())
    assert next_one.copied_bytes() >= len("weights 1weights 2") > alone.copied_bytes() == 0


def test_a_version_of_a_number_that_is_there_takes_its_place(builds):
    build(builds, "--model-version", 2)
    (tree,) = [build(builds, "--model-version", number) for number in (3, 2)][1:]
    assert contents(tree) == {"2": "version 2", "3": "version 3"}
    assert sorted(golden_paths(tree)) == ["curse/versions/2", "curse/versions/3"]


def test_the_tree_can_be_rendered_again(builds, tmp_path):
    build(builds)
    tree = build(builds, "--model-version", 2)
    again = assemble(read_context(tree / "context.json").pipeline, tmp_path / "again")
    files = {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}
    first = tree / "model_repository"
    assert files == {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}


def test_versions_of_another_tag_are_left_there(builds):
    former = build(builds, tag="v1")
    tree = build(builds, "--model-version", 2, "--versions-of", "v1", tag="v2")
    assert contents(tree) == {"1": "version 1", "2": "version 2"}
    assert contents(former) == {"1": "version 1"}


def test_what_a_policy_hides_is_proven_again_when_it_is_served_again(builds):
    build(builds)
    tree = build(builds, "--model-version", 2, "--version-policy", "latest:1")
    assert (golden_paths(tree), golden_paths(tree, HIDDEN_FILE)) == (["curse/versions/2"], ["curse/versions/1"])
    assert policy(tree) == ["latest", "{", "num_versions:", "1", "}"]
    tree = build(builds, "--model-version", 3)
    assert sorted(golden_paths(tree)) == ["curse/versions/1", "curse/versions/2", "curse/versions/3"]
    assert not (tree / HIDDEN_FILE).exists()


def test_models_beside_it_have_no_versions(builds):
    build(builds, "--add-model", "reader=f.onnx", beside=("reader",))
    tree = build(builds, "--add-model", "reader=f.onnx", "--model-version", 2, beside=("reader",))
    assert sorted(golden_paths(tree)) == ["curse/versions/1", "curse/versions/2", "reader"]
    with pytest.raises(UsageError, match="also serves 'reader'; give it again with --add-model reader=FILE"):
        inspect_versions(spec_of("--model-version", 3))


def test_tensors_that_differ_are_refused(builds):
    build(builds)
    with pytest.raises(RenderError, match=r"version 2 of 'curse' is x FP32 \[4\].*version 1 is x FP32 \[3\]"):
        build(builds, "--model-version", 2, dims=(4,))


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        (["--model-version", 2], {"size": 4}, "MAX_BATCH_SIZE is 4, and the versions in .* have 8"),
        (["--model-version", 2, "--versions-of", "v7"], {}, "--versions-of 'v7': .* is no build of 'curse'"),
        (["--model-version", 2, "--version-policy", "specific:1"], {}, "does not serve version 2"),
        (["--model-version", 2, "--version-policy", "specific:2,3"], {}, "--version-policy serves version 3"),
        (["--version-policy", "specific:2"], {}, "--version-policy serves version 2.*versions: 1"),
    ],
)
def test_what_cannot_stand_beside_is_refused_early(builds, options, changes, message):
    build(builds)
    with pytest.raises(UsageError, match=message):
        inspect_versions(spec_of(*options, **changes))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model-version", "0"], "--model-version is '0'"),
        (["--model-version", "x"], "--model-version is 'x'"),
        (["--versions-of", "v1"], "add --model-version N"),
        (["--model-version", "2", "--versions-of", "a/b"], "not a Docker tag"),
    ],
)
def test_words_that_are_none_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        spec_of(*options)


@pytest.mark.parametrize("option", [["--model-version", "2"], ["--version-policy", "all"]])
def test_steps_that_versions_would_share_have_none(option):
    with pytest.raises(UsageError, match=r"--model-version.*layout ensemble.*TAG or MODEL_NAME"):
        parse_arguments(["./m", "./m", "-", "curse", "v1", "8", "--layout", "ensemble", *option])


def test_a_tree_that_another_build_uses_is_not_read(builds, monkeypatch):
    tree = build(builds)
    with build_tree.locked(tree), pytest.raises(UsageError, match="is in use by another build"):
        build(builds, "--model-version", 2)
    assert versions.inspect_versions(spec_of("--model-version", 2)).kept == (1,)
