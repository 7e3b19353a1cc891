"""The command line and the YAML file with the same names."""

import os
from dataclasses import replace

import pytest

from utils.convert.task import TaskOption
from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.repository.served_names import ServedNames
from utils.sources.storage import StorageRef
from utils.targets.releases import default_release, usable_releases
from utils.tasks import TASKS

THREE = ["./model", "hf:user/tok@v1", "labels.json"]


@pytest.fixture(autouse=True)
def _no_debug(monkeypatch):
    monkeypatch.delenv("TRITON_FACTORY_DEBUG", raising=False)


def refusal(argv):
    with pytest.raises(UsageError) as caught:
        parse_arguments(argv)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.fixture
def yaml_file(tmp_path):
    def write(text):
        file = tmp_path / "build.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


def test_the_positional_form_of_the_original():
    spec = parse_arguments([*THREE, "topics", "v1", "8"])
    assert spec.sources.model == StorageRef(scheme="local", locator="./model")
    assert spec.sources.tokenizer == StorageRef(scheme="hf", locator="user/tok@v1")
    assert spec.sources.labels == StorageRef(scheme="local", locator="labels.json")
    assert (spec.model_name, spec.tag, spec.max_batch_size) == ("topics", "v1", 8)
    assert spec.image == "tritoned_topics:v1"


def test_the_defaults():
    spec = parse_arguments(THREE)
    assert (spec.model_name, spec.tag, spec.max_batch_size) == ("ensemble_model", "latest", 4)
    assert spec.image == "tritoned_ensemble_model:latest"
    assert spec.task.name == "text-classification"
    assert spec.device == "cpu"
    assert spec.release.name == default_release()
    assert spec.sources.fetch_timeout == 600
    assert (spec.options, spec.max_length, spec.base_image, spec.slim_image) == ({}, None, None, None)
    assert spec.names == ServedNames()
    assert spec.sources.requirements.takes_labels
    assert not any((spec.no_image, spec.dry_run, spec.no_cache, spec.no_verify, spec.json))


@pytest.mark.parametrize(
    "argv",
    [
        ["--top-k", "2", "--no-image", *THREE, "topics", "v1", "8"],
        [*THREE, "topics", "v1", "8", "--no-image", "--top-k=2"],
        ["./model", "--no-image", "hf:user/tok@v1", "labels.json", "--top-k", "2", "topics", "v1", "8"],
        ["./model", "hf:user/tok@v1", "--top-k", "2", "labels.json", "topics", "--no-image", "v1", "8"],
    ],
)
def test_options_may_stand_anywhere(argv):
    spec = parse_arguments(argv)
    assert spec == parse_arguments([*THREE, "topics", "v1", "8", "--top-k", "2", "--no-image"])
    assert (spec.options, spec.no_image, spec.tag, spec.max_batch_size) == ({"top_k": 2}, True, "v1", 8)


def test_a_dash_takes_the_labels_of_the_model():
    assert parse_arguments(["./model", "./tok", "-"]).sources.labels is None


def test_every_option_arrives():
    argv = [*THREE, "--task", "text-classification", "--device", "gpu", "--release", "24.08", "--base-image", "tri:1",
            "--slim-image", "slim:2", "--image", "registry:5000/team/topics", "--top-k", "3", "--max-length", "256",
            "--fetch-timeout", "30", "--dry-run", "--no-cache", "--no-verify", "--json", "--input-name", "text",
            "--output-name", "scores=p", "--step-name", "model_onnx=graph"]  # fmt: skip
    spec = parse_arguments(argv)
    assert (spec.device, spec.release.name, spec.options, spec.max_length) == ("gpu", "24.08", {"top_k": 3}, 256)
    assert (spec.base_image, spec.slim_image, spec.triton_image) == ("tri:1", "slim:2", "tri:1")
    assert spec.image == "registry:5000/team/topics:latest"
    assert spec.sources.fetch_timeout == 30
    assert spec.names == ServedNames(inputs={"": "text"}, outputs={"scores": "p"}, steps={"model_onnx": "graph"})
    assert (spec.dry_run, spec.no_cache, spec.no_verify, spec.json, spec.no_image) == (True, True, True, True, False)


def test_without_a_base_image_triton_comes_from_the_release():
    assert parse_arguments([*THREE, "--release", "24.08"]).triton_image == usable_releases()["24.08"].triton_image


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], ["MODEL is missing", "--help"]),
        (["./model"], ["TOKENIZER is missing"]),
        (["./model", "./tok"], ["ID2LABEL is missing"]),
        (["", "./tok", "-"], ["MODEL is missing"]),
        ([*THREE, "Topics"], ["MODEL_NAME 'Topics'"]),
        ([*THREE, ""], ["MODEL_NAME ''"]),
        ([*THREE, "topics", ""], ["TAG ''"]),
        ([*THREE, "topics", "v 1"], ["TAG 'v 1'"]),
        ([*THREE, "topics", "v1", "0"], ["MAX_BATCH_SIZE is '0'", "from 1 to 1024"]),
        ([*THREE, "topics", "v1", "1025"], ["'1025'", "1024"]),
        ([*THREE, "topics", "v1", "four"], ["'four'", "whole number"]),
        ([*THREE, "topics", "v1", "4.0"], ["'4.0'"]),
        ([*THREE, "topics", "v1", "+4"], ["'+4'"]),
        ([*THREE, "topics", "v1", ""], ["MAX_BATCH_SIZE is ''"]),
        ([*THREE, "topics", "v1", "٤"], ["MAX_BATCH_SIZE is '٤'"]),
        ([*THREE, "topics", "v1", "9" * 5000], ["MAX_BATCH_SIZE"]),
        ([*THREE, "topics", "v1", "8", "extra"], ["extra", "--help"]),
        ([*THREE, "--unknown"], ["--unknown", "make_triton_image.sh --help"]),
        ([*THREE, "--top=2"], ["--top=2"]),
        ([*THREE, "--no-im"], ["--no-im"]),
        ([*THREE, "--top-k"], ["--top-k", "expected one argument"]),
        ([*THREE, "--top-k", "0"], ["--top-k is '0'"]),
        ([*THREE, "--top-k", "-1"], ["--top-k"]),
        ([*THREE, "--max-length", "x"], ["--max-length is 'x'"]),
        ([*THREE, "--fetch-timeout", "0"], ["--fetch-timeout is '0'"]),
        ([*THREE, "--device", "tpu"], ["--device 'tpu'", "cpu, gpu"]),
        ([*THREE, "--task", "no-such"], ["--task 'no-such'", "text-classification"]),
        ([*THREE, "--input-name", ""], ["--input-name is ''", "USUAL=NAME"]),
        ([*THREE, "--input-name", "text=sentence"], ["--input-name 'text'", "one of: text_input"]),
        ([*THREE, "--output-name", "a,b"], ["--output-name is 'a,b'"]),
        ([*THREE, "--output-name", "scores=a,scores=b"], ["--output-name is 'scores=a,scores=b'"]),
        ([*THREE, "--step-name", "tokenizer"], ["--step-name 'tokenizer' names no step", "text_preprocessing"]),
        ([*THREE, "--step-name", "tokenizer=x"], ["--step-name 'tokenizer' names no step", "model_onnx"]),
        ([*THREE, "--step-name", "ensemble=x"], ["--step-name 'ensemble' names no step"]),
        ([*THREE, "--step-name", "model_onnx=a/b"], ["--step-name 'a/b'", "letters, digits"]),
        ([*THREE, "--step-name", "model_onnx=.."], ["--step-name '..'"]),
        ([*THREE, "--step-name", "model_onnx=граф"], ["--step-name 'граф'"]),
        ([*THREE, "topics", "--step-name", "model_onnx=topics"], ["--step-name", "'topics'", "MODEL_NAME"]),
        ([*THREE, "--step-name", "model_onnx=text_preprocessing"], ["--step-name", "'text_preprocessing'", "two"]),
        ([*THREE, "--step-name", "model_onnx=a,post_processing=a"], ["--step-name", "'a'", "two"]),
        ([*THREE, "--release", "24.02"], ["--release '24.02'", "24.01", "24.03"]),
        ([*THREE, "--image", "a:b"], ["--image 'a:b'"]),
        ([*THREE, "--base-image", "A"], ["--base-image 'A'"]),
        ([*THREE, "--slim-image", "A"], ["--slim-image 'A'"]),
        (["ftp:host/model", "./tok", "-"], ["'ftp:host/model'", "hf:", "clearml:", "s3:"]),
    ],
)
def test_refusals_show_the_value_and_what_is_allowed(argv, said):
    message = refusal(argv)
    assert all(words in message for words in said), message
    assert "\n" not in message


def test_help_names_every_argument_and_option(capsys):
    with pytest.raises(SystemExit) as end:
        parse_arguments(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for name in (
        "MODEL", "TOKENIZER", "ID2LABEL", "MODEL_NAME", "TAG", "MAX_BATCH_SIZE", "--config", "--task", "--device",
        "--release", "--base-image", "--slim-image", "--image", "--top-k", "--max-length", "--input-name",
        "--output-name", "--step-name", "--fetch-timeout",
        "--no-image", "--dry-run", "--no-cache", "--no-verify", "--json", "--debug",
    ):  # fmt: skip
        assert name in text
    one_line = " ".join(text.split())
    assert "usage: make_triton_image.sh MODEL TOKENIZER ID2LABEL [MODEL_NAME] [TAG] [MAX_BATCH_SIZE] [options]" in text
    assert "example: ./make_triton_image.sh ./model ./model ./id2label.json topics v1 8" in one_line
    assert "clearml:<model id>" in one_line
    assert default_release() in one_line


def test_debug_is_an_option_of_the_command_line_only(monkeypatch, yaml_file):
    assert "debug" in refusal(["--config", yaml_file("debug: true\nmodel: m\ntokenizer: t\nid2label: l\n")])
    assert "TRITON_FACTORY_DEBUG" not in os.environ
    monkeypatch.setenv("TRITON_FACTORY_DEBUG", "0")
    parse_arguments([*THREE, "--debug"])
    assert os.environ["TRITON_FACTORY_DEBUG"] == "1"


@pytest.mark.parametrize("joint", ["-", "_"])
def test_a_yaml_file_says_all_that_the_command_line_says(yaml_file, joint):
    text = """\
    model: ./model
    tokenizer: hf:user/tok@v1
    id2label: labels.json
    model_name: topics
    tag: v1
    max_batch_size: 8
    top_k: 2
    max_length: 256
    input_name: text
    output_name: predicts=label,scores=p
    step_name: model_onnx=graph
    fetch_timeout: 30
    base_image: tri:1
    slim_image: slim:2
    image: team/topics
    device: gpu
    release: "24.08"
    task: text-classification
    no_image: true
    no_verify: true
    no_cache: true
    dry_run: true
    json: true
    """
    text = "\n".join(
        line.strip().split(":", 1)[0].replace("_", joint) + ":" + line.split(":", 1)[1]
        for line in text.splitlines()
        if ":" in line
    )
    argv = [*THREE, "topics", "v1", "8", "--top-k=2", "--max-length=256", "--input-name=text",
            "--output-name=predicts=label,scores=p", "--step-name=model_onnx=graph", "--fetch-timeout=30",
            "--base-image=tri:1", "--slim-image=slim:2", "--image=team/topics", "--device=gpu", "--release=24.08",
            "--no-image", "--no-verify", "--no-cache", "--dry-run", "--json"]  # fmt: skip
    assert parse_arguments(["--config", yaml_file(text)]) == parse_arguments(argv)


def test_the_command_line_wins_over_the_file(yaml_file):
    file = yaml_file("model: m\ntokenizer: t\nid2label: l\nmodel_name: topics\ntag: v1\ntop_k: 1\ndevice: gpu\n")
    spec = parse_arguments(["other", "--config", file, "--top-k", "3", "--device", "cpu"])
    assert spec.sources.model.locator == "other"
    assert spec.sources.tokenizer.locator == "t"
    assert (spec.model_name, spec.tag, spec.options, spec.device) == ("topics", "v1", {"top_k": 3}, "cpu")


def test_values_left_empty_or_false_in_the_file_count_as_not_given(yaml_file):
    file = yaml_file('model: m\ntokenizer: t\nid2label: "-"\ntop_k:\ntag: null\nno_image: false\n')
    spec = parse_arguments(["--config", file])
    assert (spec.sources.labels, spec.options, spec.tag, spec.no_image) == (None, {}, "latest", False)


@pytest.mark.parametrize(("line", "field", "value"), [("tag: 0", "tag", "0"), ("tag: 7", "tag", "7")])
def test_a_number_in_the_file_is_what_its_digits_are_on_the_command_line(yaml_file, line, field, value):
    spec = parse_arguments(["--config", yaml_file(f"model: m\ntokenizer: t\nid2label: l\n{line}\n")])
    assert getattr(spec, field) == value


@pytest.mark.parametrize(
    ("line", "said"), [("max_batch_size: 0", "MAX_BATCH_SIZE is '0'"), ("top_k: 0", "--top-k is '0'")]
)
def test_a_zero_in_the_file_is_refused_as_on_the_command_line(yaml_file, line, said):
    assert said in refusal(["--config", yaml_file(f"model: m\ntokenizer: t\nid2label: l\n{line}\n")])


@pytest.mark.parametrize(("line", "value"), [("tag: 1.10", "1.10"), ("tag: 2026_11", "2026_11"), ("tag: 010", "010")])
def test_yaml_does_not_reinterpret_a_tag(yaml_file, line, value):
    """YAML reads 1.10 as the number 1.1; an image tagged so would silently be another one."""
    try:
        tag = parse_arguments(["--config", yaml_file(f"model: m\ntokenizer: t\nid2label: l\n{line}\n")]).tag
    except UsageError as error:
        assert "quote" in str(error)  # saying so is as good
    else:
        assert tag == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: m\nmodle: x\nbatch: 3\n", ["batch, modle", "max_batch_size", "fetch_timeout"]),
        ("config: other.yaml\nmodel: m\n", ["unknown names config"]),
        ("- model\n", ["must hold names and values", "`model: ./model`"]),
        ("", ["must hold names and values"]),
        ("model", ["must hold names and values"]),
        ("model: [unclosed", ["cannot be read as YAML"]),
        ("model: !!python/object/apply:os.getcwd []", ["--config"]),
        ("model: m\ntokenizer: t\n", ["ID2LABEL is missing"]),
        ("model: m\ntokenizer: t\nid2label: l\nno_image: sure\n", ["no_image", "'sure'", "true or false"]),
        ("model: m\ntokenizer: t\nid2label: l\nno_image: 1\n", ["no_image", "1", "true or false"]),
        ("model: m\ntokenizer: t\nid2label: l\ntag: [a, b]\n", ["tag"]),
        ("model: {path: m}\ntokenizer: t\nid2label: l\n", ["model"]),
    ],
)
def test_refusals_of_a_yaml_file(yaml_file, text, said):
    message = refusal(["--config", yaml_file(text)])
    assert all(words in message for words in said), message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "build.yaml"
    if content is not None:
        file.write_bytes(content)
    assert f"--config {str(file)!r} cannot be read" in refusal(["--config", str(file)])


def test_requirements_are_part_of_the_sources(yaml_file):
    requirements = parse_arguments(
        [*THREE, "topics", "v1", "8", "--max-length", "64", "--allow-pickle"]
    ).sources.requirements
    assert (requirements.export_task, requirements.max_batch_size, requirements.max_length) == (
        "text-classification",
        8,
        64,
    )
    assert (requirements.allow_pickle, requirements.allow_duplicate_labels, requirements.allow_placeholder_labels) == (
        True,
        False,
        False,
    )
    file = yaml_file(
        "model: m\ntokenizer: t\nid2label: l\nallow-duplicate-labels: true\nallow_placeholder_labels: true"
    )
    requirements = parse_arguments(["--config", file]).sources.requirements
    assert (requirements.allow_pickle, requirements.allow_duplicate_labels, requirements.allow_placeholder_labels) == (
        False,
        True,
        True,
    )


def test_no_cache_reaches_the_storages(monkeypatch):
    monkeypatch.setenv("TRITON_FACTORY_NO_CACHE", "0")
    parse_arguments(["model", "tokenizer", "labels.json"])
    assert os.environ["TRITON_FACTORY_NO_CACHE"] == "0"
    parse_arguments(["model", "tokenizer", "labels.json", "--no-cache"])
    assert os.environ["TRITON_FACTORY_NO_CACHE"] == "1"


@pytest.fixture
def bare(monkeypatch):
    """A task of its own without labels and without options, and one with a flag."""
    row = replace(TASKS["text-classification"], name="bare", options=(), takes_labels=False)
    flag = TaskOption(name="shout", help="scale to length 1")
    monkeypatch.setitem(TASKS, "bare", row)
    monkeypatch.setitem(TASKS, "flagged", replace(row, name="flagged", options=(flag,)))


@pytest.mark.usefixtures("bare")
def test_a_task_without_labels_takes_none():
    spec = parse_arguments(["./model", "./tok", "-", "--task", "bare"])
    assert (spec.task.name, spec.sources.labels, spec.sources.requirements.takes_labels) == ("bare", None, False)
    assert refusal([*THREE, "--task", "bare"]) == "--task bare has no labels; give - as ID2LABEL"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--task", "bare", "--top-k", "2"], ["--top-k is not for --task bare", "choose text-classification"]),
        (["--task", "flagged", "--top-k", "2"], ["--top-k is not for --task flagged"]),
        (["--task", "bare", "--shout"], ["--shout is not for --task bare", "choose flagged"]),
        (["--shout"], ["--shout is not for --task text-classification", "choose flagged"]),
    ],
)
def test_an_option_of_another_task_is_refused_with_those_that_have_it(argv, said):
    message = refusal(["./model", "./tok", "-", *argv])
    assert all(words in message for words in said), message


@pytest.mark.usefixtures("bare")
def test_a_flag_of_a_task_is_true_or_not_given(yaml_file, capsys):
    three = ["./model", "./tok", "-", "--task", "flagged"]
    assert parse_arguments([*three, "--shout"]).options == {"shout": True}
    assert parse_arguments(three).options == {}
    lines = "model: m\ntokenizer: t\nid2label: '-'\ntask: flagged\n"
    assert parse_arguments(["--config", yaml_file(f"{lines}shout: true\n")]).options == {"shout": True}
    assert parse_arguments(["--config", yaml_file(f"{lines}shout: false\n")]).options == {}
    assert "shout" in refusal(["--config", yaml_file(f"{lines}shout: sure\n")])
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    assert "scale to length 1" in capsys.readouterr().out


def test_steps_may_change_names():
    names = "text_preprocessing=model_onnx,model_onnx=text_preprocessing"
    steps = parse_arguments([*THREE, "--step-name", names]).names.steps
    assert steps == {"text_preprocessing": "model_onnx", "model_onnx": "text_preprocessing"}
