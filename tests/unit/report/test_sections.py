"""What each section takes from a build, and the numbers at the top of the page."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests import small_graphs
from utils.host.build_tree import BUILD
from utils.proof.measured import Latency, Measured
from utils.report import conversion, run, size, speed, warnings
from utils.report.page import page
from utils.report.report import make_report
from utils.report.section import Image, Layer

LATENCIES = tuple(
    Latency(clients=clients, requests=100, median=0.0123, percentile_95=0.02, per_second=1234.5) for clients in (1, 8)
)
MEASURED = Measured(ready_seconds=1.25, machine="a processor, 2 CPUs", characters=26, latencies=LATENCIES)


def test_speed(finished):
    assert [(each.label, each.value) for each in speed.figures(MEASURED)] == [
        ("Latency", "12.3 ms"),
        ("Throughput", "1,234/s"),
        ("Cold start", "1.2 s"),
    ]
    text = page(make_report(finished(measured=MEASURED)))
    assert "a processor, 2 CPUs" in text and "of 26 characters" in text


def test_nothing_measured_is_no_section(finished):
    assert speed.make(finished()) is None
    assert 'id="speed"' not in page(make_report(finished()))


def test_conversion(finished):
    parity = {"tokenizer_texts": 69, "rows": 108, "largest_difference": 1e-6, "same_choice": 1.0}
    made = conversion.make(finished(record={"parity": {**parity, "a later figure": 1}}))
    assert (made.tokenizer_texts, made.rows, conversion.figures(made)) == (69, 108, ())
    reduced = conversion.make(finished(record={"parity": {**parity, "agreement": 0.9925, "drift": 0.05}}))
    assert conversion.figures(reduced)[0].value == "99.25%"
    assert conversion.make(finished(record={})) is None, "a ready graph is not converted"


def test_warnings(finished):
    text = page(make_report(finished(served=(), record={"warnings": ["a <b>"]})))
    assert "<li>a &lt;b&gt;</li>" in text
    assert warnings.make(finished()) is None


@pytest.mark.parametrize("image", ["", "registry.example.org/topics:v1"])
def test_the_commands_have_no_folder_of_this_machine(finished, image):
    made = run.make(finished(place=BUILD / "topics/v1", image=image))
    commands = [each.command for each in made.commands]
    assert "./serve.sh build/topics/v1/model_repository" in commands
    assert commands[-1].startswith("curl ") and "/v2/models/ensemble_model/infer" in commands[-1]
    assert any(image in each for each in commands) if image else len(commands) == 2
    assert not any(str(BUILD.parent) in each for each in commands)


def test_the_page_to_try_it_is_named_where_the_tree_has_one(finished):
    made = finished(place=BUILD / "topics/v1")
    (made.tree / "try.json").touch()
    assert "./serve.sh build/topics/v1/model_repository --try" in [each.command for each in run.make(made).commands]


def test_a_pushed_image_is_run_by_its_digest(finished):
    made = run.make(finished(place=Path("/elsewhere"), image="r/t:v1", reference="r/t@sha256:0"))
    assert made.commands[0].command.endswith(" r/t@sha256:0")
    assert "/elsewhere/model_repository" in made.commands[2].command


def test_the_size_of_an_image_and_its_layers(finished, tmp_path):
    (tmp_path / "model_repository").mkdir()
    (tmp_path / "model_repository/config.pbtxt").write_text("12345")
    layers = (Layer(made_by="COPY <weights>", size=900), Layer(made_by="ENV", size=0))
    image = Image(platform="linux/amd64", id="sha256:0", size=1_500_000, layers=layers)
    made = size.make(finished(images=(image,)))
    assert made.repository == 5
    assert [(each.label, each.value) for each in size.figures(made)] == [("Image", "1.5 MB")]
    text = page(make_report(finished(images=(image,))))
    assert "COPY &lt;weights&gt;" in text and ">ENV<" not in text


def test_the_weights_of_a_graph_include_what_lies_beside_it(finished, make_pipeline):
    """In the order of the pipeline; a file that is no graph has no entry of its own, and the tokenizer is no weight."""
    made = finished()
    step = next(each for each in made.context.pipeline.steps if "model.onnx" in each.files)
    folder = made.tree / "model_repository" / step.model_name / "1"
    folder.mkdir(parents=True)
    small_graphs.doubling(folder / "model.onnx")
    (folder / "tables.bin").write_bytes(bytes(5000))
    (folder / "tokenizer.json").write_bytes(bytes(9000))
    files = {name: folder / name for name in ("model.onnx", "tables.bin", "tokenizer.json")}
    pipeline = replace(made.context.pipeline, steps=(replace(step, files=files),))
    (weights,) = size.make(replace(made, context=replace(made.context, pipeline=pipeline))).weights
    assert (weights.model, weights.file) == (step.model_name, "model.onnx")
    assert weights.size == 5000 + (folder / "model.onnx").stat().st_size


def test_many_layers_are_the_largest_and_the_rest():
    groups = size._largest({f"layer.{number}": 1000 + number for number in range(60)})
    assert len(groups) == size.SHOWN_GROUPS + 1
    assert (groups[0].name, groups[-1].name) == ("layer.12", size.REST)
    assert sum(group.size for group in groups) == sum(1000 + number for number in range(60))
