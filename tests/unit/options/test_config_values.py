"""The values of a --config file: as on the command line, which overrides them."""

from operator import attrgetter

import pytest

from tests.small_specs import THREE, refusal
from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments


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
    assert spec.source.sources.model.locator == "other"
    assert spec.source.sources.tokenizer.locator == "t"
    assert (spec.serving.model_name, spec.output.tag, spec.source.options, spec.target.device) == (
        "topics",
        "v1",
        {"top_k": 3},
        "cpu",
    )


def test_values_left_empty_or_false_in_the_file_count_as_not_given(yaml_file):
    file = yaml_file('model: m\ntokenizer: t\nid2label: "-"\ntop_k:\ntag: null\nno_image: false\n')
    spec = parse_arguments(["--config", file])
    assert (spec.source.sources.labels, spec.source.options, spec.output.tag, spec.output.no_image) == (
        None,
        {},
        "latest",
        False,
    )


@pytest.mark.parametrize(("line", "field", "value"), [("tag: 0", "output.tag", "0"), ("tag: 7", "output.tag", "7")])
def test_a_number_in_the_file_is_what_its_digits_are_on_the_command_line(yaml_file, line, field, value):
    spec = parse_arguments(["--config", yaml_file(f"model: m\ntokenizer: t\nid2label: l\n{line}\n")])
    assert attrgetter(field)(spec) == value


@pytest.mark.parametrize(
    ("line", "expected"), [("max_batch_size: 0", "MAX_BATCH_SIZE is '0'"), ("top_k: 0", "--top-k is '0'")]
)
def test_a_zero_in_the_file_is_refused_as_on_the_command_line(yaml_file, line, expected):
    assert expected in refusal(["--config", yaml_file(f"model: m\ntokenizer: t\nid2label: l\n{line}\n")])


@pytest.mark.parametrize(("line", "value"), [("tag: 1.10", "1.10"), ("tag: 2026_11", "2026_11"), ("tag: 010", "010")])
def test_yaml_does_not_reinterpret_a_tag(yaml_file, line, value):
    """YAML reads 1.10 as the number 1.1; an image tagged so would silently be another one."""
    try:
        tag = parse_arguments(["--config", yaml_file(f"model: m\ntokenizer: t\nid2label: l\n{line}\n")]).output.tag
    except UsageError as error:
        assert "quote" in str(error)  # saying so is as good
    else:
        assert tag == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: m\nmodle: x\nbatch: 3\n", ["modle (line 2), batch (line 3)", "max_batch_size", "fetch_timeout"]),
        ("config: other.yaml\nmodel: m\n", ["unknown names config (line 1)"]),
        ("- model\n", ["must hold names and values", "`model: ./model`"]),
        ("", ["is empty", "must hold names and values"]),
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
def test_refusals_of_a_yaml_file(yaml_file, text, expected):
    message = refusal(["--config", yaml_file(text)])
    assert all(words in message for words in expected), message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "build.yaml"
    if content is not None:
        file.write_bytes(content)
    assert f"--config {str(file)!r} cannot be read" in refusal(["--config", str(file)])
