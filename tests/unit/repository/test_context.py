import json

import pytest

from utils.host.errors import RenderError
from utils.repository.context import CONTEXT_FILE, Context, read_context, write_context

AWKWARD = ('say "hi"', "{{ jinja }}", "${HOME}", "two\nlines", "помощь", "👍🏽")


@pytest.fixture
def make_context(make_pipeline):
    def make(**changes):
        return Context(
            pipeline=make_pipeline(**changes),
            image="team/topics:v1",
            device="cpu",
            docker={"triton_image": "triton:1", "slim_image": "slim:2", "runtime": "slim", "python": "3.12"},
            oci_labels={"org.opencontainers.image.title": "topics"},
        )

    return make


@pytest.fixture
def tree(tmp_path):
    """The folder that make_pipeline puts its artifacts in."""
    return tmp_path / "tree"


def test_context_survives_writing_and_reading(make_context, tree):
    context = make_context(labels=AWKWARD, external_files=("model.onnx_data",), dtype="INT32", top_k=6)
    path = write_context(context, tree)
    assert path == tree / CONTEXT_FILE
    assert read_context(path) == context


def test_tree_can_be_moved(make_context, tree, tmp_path):
    write_context(make_context(), tree)
    elsewhere = tmp_path / "else where" / "tree"
    elsewhere.parent.mkdir()
    tree.rename(elsewhere)
    steps = read_context(elsewhere / CONTEXT_FILE).pipeline.steps
    files = [file for step in steps for file in step.files.values()]
    assert len(files) == 2
    assert all(file.is_file() and file.is_relative_to(elsewhere) for file in files)


def test_path_of_the_file_may_be_relative(make_context, tree, monkeypatch):
    write_context(make_context(), tree)
    monkeypatch.chdir(tree.parent)
    from pathlib import Path

    steps = read_context(Path("tree", CONTEXT_FILE)).pipeline.steps
    assert steps[0].files["tokenizer.json"] == (tree / "artifacts/tokenizer.json").resolve()


def test_file_has_no_absolute_path(make_context, tree, tmp_path):
    assert str(tmp_path) not in write_context(make_context(), tree).read_text(encoding="utf-8")


def test_labels_are_readable_in_the_file(make_context, tree):
    assert "помощь" in write_context(make_context(labels=AWKWARD), tree).read_text(encoding="utf-8")


def changed(make_context, tree, change):
    path = write_context(make_context(), tree)
    content = json.loads(path.read_text(encoding="utf-8"))
    content = change(content) or content
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(RenderError) as caught:
        read_context(path)
    assert caught.value.exit_code == 6
    assert repr(str(path)) in str(caught.value)
    return str(caught.value)


def test_all_missing_fields_are_named(make_context, tree):
    def change(content):
        del content["image"], content["oci_labels"]
        del content["pipeline"]["steps"], content["pipeline"]["max_batch_size"]

    message = refusal(changed(make_context, tree, change))
    for name in ("image", "oci_labels", "pipeline.steps", "pipeline.max_batch_size"):
        assert name in message
    assert "device" not in message
    assert "rebuild the tree" in message


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(format=2),
        lambda content: content.pop("format"),
        lambda content: [content],
        lambda content: "a text",
        lambda content: {"format": 1},
    ],
)
def test_other_format_is_refused(make_context, tree, change):
    assert "rebuild the tree" in refusal(changed(make_context, tree, change))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(pipeline=None),
        lambda content: content.update(pipeline=3),
        lambda content: content.update(pipeline=[]),
        lambda content: content["pipeline"].update(steps=None),
        lambda content: content["pipeline"].update(steps=[1]),
        lambda content: content["pipeline"].update(inputs=[{"name": "x"}]),
        lambda content: content["pipeline"].update(unknown=1),
        lambda content: content["pipeline"]["steps"][0].pop("component"),
        lambda content: content["pipeline"]["steps"][0].update(files=["tokenizer.json"]),
        lambda content: content["pipeline"]["steps"][0].update(outputs=[{"name": "x", "dtype": "INT64", "dims": 3}]),
    ],
)
def test_invalid_content_is_refused_without_a_traceback(make_context, tree, change):
    assert "rebuild the tree" in refusal(changed(make_context, tree, change))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", None])
def test_unreadable_file_is_refused(tmp_path, content):
    path = tmp_path / CONTEXT_FILE
    if content is not None:
        path.write_bytes(content)
    assert "name the context.json of a build tree" in refusal(path)


def test_folder_is_refused(tmp_path):
    assert "name the context.json of a build tree" in refusal(tmp_path)
