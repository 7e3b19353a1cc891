import json
import os
import shutil
from dataclasses import replace

import pytest

from utils.host import link_or_copy
from utils.host.errors import RenderError
from utils.repository.assemble import assemble
from utils.repository.render import COMPONENTS_ROOT

AWKWARD = (
    "say \"hi\" and 'hi'",
    "{{ jinja }} {% raw %} {# note #} { brace }",
    "${HOME} $(id) `id`",
    "back\\slash \\n",
    "two\nlines\r\n\tand a tab",
    "помощь",
    "고객 지원",
    "مساعدة",
    "👍🏽 👨‍👩‍👧",
    "\u0000\u001b\u2028",
    " ",
    "<b>&amp;</b>",
)


def listing(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_labels_are_written_unchanged(make_pipeline, tmp_path):
    repository = assemble(make_pipeline(labels=AWKWARD), tmp_path / "model_repository")
    text = (repository / "post_processing/1/id2label.json").read_text(encoding="utf-8")
    assert json.loads(text) == {str(index): label for index, label in enumerate(AWKWARD)}


def test_labels_are_in_json_only(make_pipeline, tmp_path):
    marked = assemble(make_pipeline(labels=("LABEL-MARK", "other")), tmp_path / "model_repository")
    found = [name for name, content in listing(marked).items() if b"LABEL-MARK" in content]
    assert found == ["post_processing/1/id2label.json"]


def test_artifacts_are_equal_byte_for_byte(make_pipeline, tmp_path):
    pipeline = make_pipeline(external_files=("model.onnx_data",))
    repository = assemble(pipeline, tmp_path / "model_repository")
    assert (repository / "model_onnx/1/model.onnx").read_bytes() == b"stands for model.onnx"
    data = repository / "model_onnx/1/model.onnx_data"
    assert (data.read_bytes(), data.stat().st_nlink) == (b"stands for model.onnx_data", 1)
    assert (repository / "text_preprocessing/1/tokenizer.json").read_bytes() == b"stands for tokenizer.json"


def test_repository_is_self_contained(make_pipeline, tmp_path):
    repository = assemble(make_pipeline(), tmp_path / "model_repository")
    assert not [path for path in repository.rglob("*") if path.is_symlink()]
    assert not [path for path in repository.rglob("*") if path.suffix in (".template", ".pyc", ".jinja")]
    shared = COMPONENTS_ROOT / "shared" / "step_responses.py"
    for step in ("text_preprocessing", "post_processing"):
        assert (repository / step / "1/step_responses.py").read_bytes() == shared.read_bytes()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_repository_is_readable_for_all_with_any_umask(make_pipeline, tmp_path, umask):
    pipeline = make_pipeline()
    before = os.umask(umask)
    try:
        repository = assemble(pipeline, tmp_path / "model_repository")
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in [repository, *repository.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o755}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o644}


def test_components_are_not_changed(make_pipeline, tmp_path):
    before = {name: content for name, content in listing(COMPONENTS_ROOT).items() if "__pycache__" not in name}
    assemble(make_pipeline(), tmp_path / "model_repository")
    after = {name: content for name, content in listing(COMPONENTS_ROOT).items() if "__pycache__" not in name}
    assert after == before


def test_files_are_copied_to_another_file_system(make_pipeline, tmp_path, monkeypatch):
    def other_device(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(link_or_copy.os, "link", other_device)
    repository = assemble(make_pipeline(), tmp_path / "model_repository")
    assert (repository / "model_onnx/1/model.onnx").read_bytes() == b"stands for model.onnx"


@pytest.mark.parametrize("kind", ["folder", "file", "full folder"])
def test_existing_destination_is_not_overwritten(make_pipeline, tmp_path, kind):
    destination = tmp_path / "model_repository"
    if kind == "file":
        destination.write_text("mine")
    else:
        destination.mkdir()
    if kind == "full folder":
        (destination / "mine").write_text("mine")
    with pytest.raises(RenderError) as refusal:
        assemble(make_pipeline(), destination)
    assert refusal.value.exit_code == 6
    assert f"{str(destination)!r} already exists" in str(refusal.value)
    if kind == "full folder":
        assert listing(destination) == {"mine": b"mine"}


def test_missing_artifact_is_named_and_nothing_is_left(make_pipeline, tmp_path):
    pipeline = make_pipeline()
    lost = pipeline.steps[1].files["model.onnx"]
    lost.unlink()
    out = tmp_path / "out"
    with pytest.raises(RenderError) as refusal:
        assemble(pipeline, out / "model_repository")
    assert repr(str(lost)) in str(refusal.value)
    assert "rebuild the tree" in str(refusal.value)
    assert list(out.iterdir()) == []


def test_repository_that_fails_the_check_is_not_written(make_pipeline, tmp_path):
    pipeline = make_pipeline()
    first = replace(pipeline.steps[0], outputs=pipeline.steps[0].outputs[:1])
    out = tmp_path / "out"
    with pytest.raises(RenderError, match="no earlier step produces this tensor"):
        assemble(replace(pipeline, steps=(first, *pipeline.steps[1:])), out / "model_repository")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("way", ["upwards", "absolute"])
@pytest.mark.parametrize("part", ["files", "documents"])
def test_nothing_is_written_outside_the_destination(make_pipeline, tmp_path, way, part):
    pipeline = make_pipeline()
    name = "../../../../outside.txt" if way == "upwards" else str(tmp_path / "outside.txt")
    value = pipeline.steps[0].files["tokenizer.json"] if part == "files" else {}
    first = replace(pipeline.steps[0], **{part: {**getattr(pipeline.steps[0], part), name: value}})
    out = tmp_path / "out"
    with pytest.raises(RenderError, match=r"outside\.txt"):
        assemble(replace(pipeline, steps=(first, *pipeline.steps[1:])), out / "model_repository")
    assert not list(tmp_path.rglob("outside.txt"))


def test_second_assembly_equals_the_first(make_pipeline, tmp_path):
    pipeline = make_pipeline()
    first = listing(assemble(pipeline, tmp_path / "first" / "model_repository"))
    assert listing(assemble(pipeline, tmp_path / "second" / "model_repository")) == first
    shutil.rmtree(tmp_path / "first")
    assert listing(tmp_path / "second" / "model_repository") == first
