"""Invalid repositories: each is a valid one with one change, and the refusal names it."""

import shutil

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from utils.host.errors import RenderError
from utils.repository.assemble import assemble
from utils.repository.check import check_repository, parse_config

TENSORS = ("input_ids", "attention_mask", "token_type_ids")


@pytest.fixture
def repository(make_pipeline, tmp_path):
    return assemble(make_pipeline(model_name="topics"), tmp_path / "model_repository")


def change(repository, model, edit):
    """Lets `edit` change the config message of one model."""
    file = repository / model / "config.pbtxt"
    config = text_format.Parse(file.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    edit(config)
    file.write_text(text_format.MessageToString(config), encoding="utf-8")


def refusal(repository, model="topics"):
    with pytest.raises(RenderError) as caught:
        check_repository(repository, model)
    assert caught.value.exit_code == 6
    return str(caught.value)


def step(config, index):
    return config.ensemble_scheduling.step[index]


def test_valid_repository_passes(repository):
    check_repository(repository, "topics")


def test_valid_repository_written_by_protobuf_passes(repository):
    for model in ("topics", "model_onnx", "text_preprocessing", "post_processing"):
        change(repository, model, lambda config: None)
    check_repository(repository, "topics")


def test_ensemble_may_rename_tensors(repository):
    def edit(config):
        step(config, 0).output_map["input_ids"] = "ids"
        step(config, 1).input_map["input_ids"] = "ids"

    change(repository, "topics", edit)
    check_repository(repository, "topics")


def drop_input(index, key):
    def edit(config):
        del step(config, index).input_map[key]

    return edit


def map_input(index, key, value):
    def edit(config):
        step(config, index).input_map[key] = value

    return edit


def map_output(index, key, value):
    def edit(config):
        step(config, index).output_map[key] = value

    return edit


def set_field(name, value):
    return lambda config: setattr(config, name, value)


def set_tensor(side, index, name, value):
    def edit(config):
        tensor = getattr(config, side)[index]
        if name == "dims":
            tensor.dims[:] = value
        else:
            setattr(tensor, name, value)

    return edit


def rename_step(config):
    step(config, 1).model_name = "model_onxx"


def swap_steps(config):
    steps = config.ensemble_scheduling.step
    first = model_config_pb2.ModelEnsembling.Step()
    first.CopyFrom(steps[0])
    steps[0].CopyFrom(steps[1])
    steps[1].CopyFrom(first)


def drop_last_step(config):
    del config.ensemble_scheduling.step[2]


@pytest.mark.parametrize(
    ("model", "edit", "parts"),
    [
        ("topics", rename_step, ["'model_onxx'", "not in the repository"]),
        ("topics", swap_steps, ["'model_onnx'", "no earlier step produces this tensor"]),
        ("topics", drop_last_step, ["output 'predicts'", "no earlier step"]),
        ("topics", drop_input(1, "attention_mask"), ["'model_onnx'", "to attention_mask"]),
        ("topics", map_input(1, "extra", "input_ids"), ["'extra'", "input of step 'model_onnx'"]),
        ("topics", map_input(1, "input_ids", "nothing"), ["'input_ids'", "no earlier step produces this tensor"]),
        ("topics", map_output(0, "extra", "extra"), ["'extra'", "output of step 'text_preprocessing'"]),
        ("topics", map_output(1, "logits", "input_ids"), ["'input_ids' has two sources", "'model_onnx'"]),
        ("topics", map_output(2, "scores", "predicts"), ["'predicts' has two sources", "'post_processing'"]),
        ("topics", map_output(0, "input_ids", "text_input"), ["'text_input' has two sources", "'text_preprocessing'"]),
        ("topics", set_field("max_batch_size", 8), ["'text_preprocessing'", "max_batch_size 4", "the ensemble has 8"]),
        ("model_onnx", set_field("max_batch_size", 2), ["'model_onnx'", "max_batch_size 2", "the ensemble has 4"]),
        (
            "model_onnx",
            set_tensor("input", 1, "data_type", model_config_pb2.TYPE_INT32),
            ["'model_onnx', input 'attention_mask'", "TYPE_INT32 [-1]", "TYPE_INT64 [-1]"],
        ),
        (
            "post_processing",
            set_tensor("input", 0, "dims", [5]),
            ["'post_processing', input 'logits'", "TYPE_FP32 [5]", "TYPE_FP32 [3]"],
        ),
        (
            "topics",
            set_tensor("output", 1, "dims", [3]),
            ["the ensemble's output 'scores'", "TYPE_FP32 [3]", "TYPE_FP32 [1]"],
        ),
        (
            "topics",
            set_tensor("output", 0, "data_type", model_config_pb2.TYPE_FP32),
            ["the ensemble's output 'predicts'", "TYPE_FP32 [1]", "TYPE_STRING [1]"],
        ),
        (
            "topics",
            set_tensor("input", 0, "dims", [-1]),
            ["'text_preprocessing', input 'text_input'", "TYPE_STRING [1]", "TYPE_STRING [-1]"],
        ),
        ("post_processing", set_field("name", "postprocessing"), ["post_processing/config.pbtxt", "'postprocessing'"]),
    ],
)
def test_invalid_config_is_named(repository, model, edit, parts):
    change(repository, model, edit)
    message = refusal(repository)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("model", ["topics", "model_onnx", "text_preprocessing", "post_processing"])
def test_missing_version_folder_is_named(repository, model):
    shutil.rmtree(repository / model / "1")
    assert f"model {model!r} has no version folder" in refusal(repository)


def test_version_is_a_number_above_0(repository):
    for name in ("0", "v1", "1a"):
        shutil.copytree(repository / "model_onnx" / "1", repository / "model_onnx" / name)
    shutil.rmtree(repository / "model_onnx" / "1")
    assert "model 'model_onnx' has no version folder" in refusal(repository)


@pytest.mark.parametrize(
    ("model", "file"),
    [("model_onnx", "model.onnx"), ("text_preprocessing", "model.py"), ("post_processing", "model.py")],
)
def test_missing_model_file_is_named(repository, model, file):
    (repository / model / "1" / file).unlink()
    assert f"model {model!r}, version 1, lacks {file}" in refusal(repository)


def test_every_version_needs_the_model_file(repository):
    (repository / "model_onnx" / "2").mkdir()
    assert "model 'model_onnx', version 2, lacks model.onnx" in refusal(repository)


def test_missing_model_is_named(repository):
    shutil.rmtree(repository / "post_processing")
    assert "'post_processing' is not in the repository" in refusal(repository)


def test_missing_served_model_is_named(repository):
    shutil.rmtree(repository / "topics")
    assert "model 'topics' has no config.pbtxt" in refusal(repository)


@pytest.mark.parametrize(
    "text",
    ["name: ", 'name: "model_onnx" colour: "red"', "name: model_onnx", "max_batch_size: many", "{", "instance_group ["],
)
def test_invalid_model_config_is_named(repository, text):
    (repository / "model_onnx" / "config.pbtxt").write_text(text, encoding="utf-8")
    assert "model_onnx/config.pbtxt is not a Triton model config" in refusal(repository)


def test_parsed_config_has_the_values(repository):
    config = parse_config(repository / "model_onnx" / "config.pbtxt")
    assert config.backend == "onnxruntime"
    assert [tensor.name for tensor in config.input] == list(TENSORS)
