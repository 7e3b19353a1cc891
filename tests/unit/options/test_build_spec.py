"""The command line becomes a BuildSpec."""

import os
from dataclasses import replace

import pytest

from tests.small_specs import THREE, refusal
from utils import make_triton_image
from utils.convert.task import TaskOption
from utils.host.errors import SourceError
from utils.options.build_spec import parse_arguments
from utils.repository.serving import ServedNames
from utils.sources.storage import StorageRef
from utils.targets.releases import default_release, usable_releases
from utils.tasks import TASKS


def test_the_positional_form_of_the_original():
    spec = parse_arguments([*THREE, "topics", "v1", "8"])
    assert spec.source.sources.model == StorageRef(scheme="local", locator="./model")
    assert spec.source.sources.tokenizer == StorageRef(scheme="hf", locator="user/tok@v1")
    assert spec.source.sources.labels == StorageRef(scheme="local", locator="labels.json")
    assert (spec.serving.model_name, spec.output.tag, spec.serving.max_batch_size) == ("topics", "v1", 8)
    assert spec.output.image == "tritoned_topics:v1"


def test_the_defaults():
    spec = parse_arguments(THREE)
    assert (spec.serving.model_name, spec.output.tag, spec.serving.max_batch_size) == ("ensemble_model", "latest", 4)
    assert spec.output.image == "tritoned_ensemble_model:latest"
    assert spec.source.task.name == "text-classification"
    assert spec.target.device == "cpu"
    assert spec.target.release.name == default_release()
    assert spec.source.sources.fetch_timeout == 600
    assert (spec.source.options, spec.target.max_length, spec.target.base_image, spec.target.slim_image) == (
        {},
        None,
        None,
        None,
    )
    assert spec.serving.names == ServedNames()
    assert spec.source.sources.requirements.takes_labels
    assert not any(
        (spec.output.no_image, spec.output.dry_run, spec.output.no_cache, spec.output.no_verify, spec.output.json)
    )


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
    assert (spec.source.options, spec.output.no_image, spec.output.tag, spec.serving.max_batch_size) == (
        {"top_k": 2},
        True,
        "v1",
        8,
    )


def test_a_dash_takes_the_labels_of_the_model():
    assert parse_arguments(["./model", "./tok", "-"]).source.sources.labels is None


def test_every_option_arrives():
    argv = [*THREE, "--task", "text-classification", "--device", "gpu", "--release", "24.08", "--base-image", "tri:1",
            "--slim-image", "slim:2", "--image", "registry:5000/team/topics", "--top-k", "3", "--max-length", "256",
            "--fetch-timeout", "30", "--dry-run", "--no-cache", "--no-verify", "--json", "--input-name", "text",
            "--output-name", "scores=p", "--step-name", "model_onnx=graph"]  # fmt: skip
    spec = parse_arguments(argv)
    assert (spec.target.device, spec.target.release.name, spec.source.options, spec.target.max_length) == (
        "gpu",
        "24.08",
        {"top_k": 3},
        256,
    )
    assert (spec.target.base_image, spec.target.slim_image, spec.target.triton_image) == ("tri:1", "slim:2", "tri:1")
    assert spec.output.image == "registry:5000/team/topics:latest"
    assert spec.source.sources.fetch_timeout == 30
    assert spec.serving.names == ServedNames(
        inputs={"": "text"}, outputs={"scores": "p"}, steps={"model_onnx": "graph"}
    )
    assert (
        spec.output.dry_run,
        spec.output.no_cache,
        spec.output.no_verify,
        spec.output.json,
        spec.output.no_image,
    ) == (True, True, True, True, False)


def test_without_a_base_image_triton_comes_from_the_release():
    assert (
        parse_arguments([*THREE, "--release", "24.08"]).target.triton_image == usable_releases()["24.08"].triton_image
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
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
def test_refusals_show_the_value_and_what_is_allowed(argv, expected):
    message = refusal(argv)
    assert all(words in message for words in expected), message
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
    assert "hf:user/name[@revision]" in one_line and "docs/sources.md" in one_line
    assert default_release() in one_line


def test_debug_is_an_option_of_the_command_line_only(yaml_file):
    assert "debug" in refusal(["--config", yaml_file("debug: true\nmodel: m\ntokenizer: t\nid2label: l\n")])
    assert parse_arguments([*THREE, "--debug"]) == parse_arguments(THREE)


def test_parsing_has_no_effects(monkeypatch):
    """The entry sets what child processes read, and asks nvidia-smi."""
    before = dict(os.environ)
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    parse_arguments([*THREE, "--debug", "--no-cache", "--device", "gpu"])
    assert dict(os.environ) == before


@pytest.mark.parametrize(("option", "variable"), [("--debug", "DEBUG"), ("--no-cache", "NO_CACHE")])
def test_child_processes_read_it_from_the_environment(monkeypatch, option, variable):
    monkeypatch.setenv(f"TRITON_FACTORY_{variable}", "0")
    for arguments, value in ((["./nowhere", "t", "-"], "0"), (["./nowhere", "t", "-", option], "1")):
        with pytest.raises(SourceError):
            make_triton_image.make_triton_image(arguments)
        assert os.environ[f"TRITON_FACTORY_{variable}"] == value


def test_requirements_are_part_of_the_sources(yaml_file):
    requirements = parse_arguments(
        [*THREE, "topics", "v1", "8", "--max-length", "64", "--allow-pickle"]
    ).source.sources.requirements
    assert requirements.export_task == "text-classification"
    assert (requirements.max_batch_size, requirements.max_length) == (8, 64)
    assert (requirements.allow_pickle, requirements.allow_duplicate_labels, requirements.allow_placeholder_labels) == (
        True,
        False,
        False,
    )
    file = yaml_file(
        "model: m\ntokenizer: t\nid2label: l\nallow-duplicate-labels: true\nallow_placeholder_labels: true"
    )
    requirements = parse_arguments(["--config", file]).source.sources.requirements
    assert (requirements.allow_pickle, requirements.allow_duplicate_labels, requirements.allow_placeholder_labels) == (
        False,
        True,
        True,
    )


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
    assert (spec.source.task.name, spec.source.sources.labels, spec.source.sources.requirements.takes_labels) == (
        "bare",
        None,
        False,
    )
    assert refusal([*THREE, "--task", "bare"]) == "--task bare has no labels; give - as ID2LABEL"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--task", "bare", "--top-k", "2"], ["--top-k is not for --task bare", "choose text-classification"]),
        (["--task", "flagged", "--top-k", "2"], ["--top-k is not for --task flagged"]),
        (["--task", "bare", "--shout"], ["--shout is not for --task bare", "choose flagged"]),
        (["--shout"], ["--shout is not for --task text-classification", "choose flagged"]),
    ],
)
def test_an_option_of_another_task_is_refused_with_those_that_have_it(argv, expected):
    message = refusal(["./model", "./tok", "-", *argv])
    assert all(words in message for words in expected), message


@pytest.mark.usefixtures("bare")
def test_a_flag_of_a_task_is_true_or_not_given(yaml_file, capsys):
    three = ["./model", "./tok", "-", "--task", "flagged"]
    assert parse_arguments([*three, "--shout"]).source.options == {"shout": True}
    assert parse_arguments(three).source.options == {}
    lines = "model: m\ntokenizer: t\nid2label: '-'\ntask: flagged\n"
    assert parse_arguments(["--config", yaml_file(f"{lines}shout: true\n")]).source.options == {"shout": True}
    assert parse_arguments(["--config", yaml_file(f"{lines}shout: false\n")]).source.options == {}
    assert "shout" in refusal(["--config", yaml_file(f"{lines}shout: sure\n")])
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    assert "scale to length 1" in capsys.readouterr().out


def test_steps_may_change_names():
    names = "text_preprocessing=model_onnx,model_onnx=text_preprocessing"
    steps = parse_arguments([*THREE, "--step-name", names]).serving.names.steps
    assert steps == {"text_preprocessing": "model_onnx", "model_onnx": "text_preprocessing"}
