import json
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from utils.factory.plan import as_text, describe, docker_plan, oci_labels, resolve_settings, served_pipeline
from utils.host.errors import ImageError, UsageError
from utils.host.installed import VERSION
from utils.options.build_spec import parse_arguments
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.sources.fetch import Metadata
from utils.sources.labels import Labels
from utils.sources.model_config import ModelConfig
from utils.sources.storage import FetchedArtifact
from utils.targets.releases import SECURITY_FLOOR, find_release

LABELS = ('say "hi"', "two\nlines", "помощь")


class RecordingEngine:
    """Stands for Docker: knows some images, tells what is in them, and keeps what it was asked."""

    def __init__(self, missing=(), python="3.12", release=("ubuntu", "24.04"), triton=""):
        self.missing, self.python, self.release, self.triton = missing, python, release, triton
        self.pulled = []

    def pull_if_missing(self, image):
        self.pulled.append(image)
        if image in self.missing:
            raise ImageError(f"no image {image}")

    def python_version(self, image):
        assert image in self.pulled
        return self.python

    def triton_release(self, image):
        assert image in self.pulled
        return self.triton

    def machine(self, image):
        assert image in self.pulled
        return "aarch64"

    def require_backend(self, image, backend):
        assert image in self.pulled
        self.backend = backend

    def os_release(self, image):
        assert image in self.pulled
        return self.release


def spec_of(*options):
    return parse_arguments(["./some/model", "hf:user/tok@v1", "-", "topics", "v1", "8", *options])


@pytest.fixture
def metadata(tmp_path):
    return Metadata(
        config=ModelConfig(
            file=tmp_path / "config.json",
            model_type="bert",
            head_size=3,
            problem_type="single_label_classification",
        ),
        tokenizer=FetchedArtifact(path=tmp_path, revision="t" * 40),
        labels=Labels(texts=LABELS, source="config.json"),
        revisions={"model": "sha256:" + "0" * 16, "tokenizer": "t" * 40},
    )


def test_without_an_engine_the_release_table_answers():
    release = find_release("24.08")
    assert docker_plan(spec_of("--release", "24.08"), None) == {
        "triton_image": release.triton_image,
        "slim_image": release.slim_image,
        "runtime": "slim",
        "python": "3.10",
        "machine": platform.machine(),
    }


def test_the_gpu_image_needs_no_slim_base():
    engine = RecordingEngine(python="3.12")
    plan = docker_plan(spec_of("--device", "gpu"), engine)
    assert plan["runtime"] == "full"
    assert engine.pulled == [plan["triton_image"]]


def test_the_engine_pulls_both_images_and_tells_the_python():
    engine = RecordingEngine(python="3.13")
    plan = docker_plan(spec_of(), engine)
    assert (plan["python"], plan["machine"], plan["runtime"]) == ("3.13", "aarch64", "slim")
    assert engine.pulled == [plan["triton_image"], plan["slim_image"]]


@pytest.mark.parametrize(
    ("release", "slim"),
    [(("ubuntu", "22.04"), "ubuntu:22.04"), (("debian", "12"), "debian:12-slim")],
)
def test_a_base_image_of_ones_own_gets_the_slim_base_of_its_distribution(release, slim):
    engine = RecordingEngine(release=release)
    plan = docker_plan(spec_of("--base-image", "mine:1"), engine)
    assert (plan["triton_image"], plan["slim_image"], plan["runtime"]) == ("mine:1", slim, "slim")
    assert engine.pulled == ["mine:1", slim]


def test_a_slim_base_that_is_not_to_be_had_makes_a_larger_image(capsys):
    engine = RecordingEngine(missing=["debian:12-slim"], release=("debian", "12"))
    assert docker_plan(spec_of("--base-image", "mine:1"), engine)["runtime"] == "full"
    assert "warning: no image debian:12-slim" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--slim-image", "slim:1"], ["--slim-image", "slim:1", "--base-image", "mine:1"]])
def test_a_slim_base_that_was_asked_for_must_be_there(options):
    with pytest.raises(ImageError, match="no image slim:1"):
        docker_plan(spec_of(*options), RecordingEngine(missing=["slim:1"]))


def test_a_triton_that_is_not_to_be_had_is_told():
    with pytest.raises(ImageError, match="no image mine:1"):
        docker_plan(spec_of("--base-image", "mine:1"), RecordingEngine(missing=["mine:1"]))


def test_the_image_says_what_is_in_it_and_not_where_it_was_built(metadata):
    labels = oci_labels(spec_of(), metadata)
    assert labels["org.opencontainers.image.title"] == "topics"
    assert labels["org.opencontainers.image.version"] == "v1"
    assert labels["org.opencontainers.image.revision"] == "sha256:" + "0" * 16
    assert labels["triton-image-factory.version"] == VERSION
    assert labels["triton-image-factory.model"] == "local:model"
    assert labels["triton-image-factory.tokenizer"] == "hf:user/tok@v1"
    assert labels["triton-image-factory.tokenizer.revision"] == "t" * 40
    assert labels["triton-image-factory.max_batch_size"] == "8"
    assert json.loads(labels["triton-image-factory.labels"]) == list(LABELS)
    assert "torch==" in labels["triton-image-factory.tools"]
    assert all(isinstance(value, str) for value in labels.values())


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        (["--release", "24.08"], True),
        (["--release", SECURITY_FLOOR], False),
        (["--release", "24.08", "--base-image", "mine:1"], True),
        (["--base-image", "mine:1"], False),
        ([], False),
    ],
)
@pytest.mark.parametrize("engine", [None, RecordingEngine()], ids=["no engine", "engine"])
def test_an_old_release_is_warned_of(capsys, options, warned, engine):
    docker_plan(spec_of(*options), engine)
    err = capsys.readouterr().err
    assert ("lacks security fixes" in err) == warned
    assert not warned or ("24.08" in err and f"--release {SECURITY_FLOOR}" in err and "up to August 2026" in err)


@pytest.mark.parametrize(
    ("found", "asked", "old", "older"),
    [
        ("24.08", SECURITY_FLOOR, True, True),
        ("24.08", "24.08", True, False),
        (SECURITY_FLOOR, "24.08", False, False),
        ("99.01", SECURITY_FLOOR, False, False),
    ],
)
def test_what_a_base_image_says_it_is_counts(capsys, found, asked, old, older):
    docker_plan(spec_of("--base-image", "mine:1", "--release", asked), RecordingEngine(triton=found))
    err = capsys.readouterr().err
    assert ("lacks security fixes" in err, f"base image mine:1 is Triton {found}" in err) == (old, older)
    assert not older or f"give --release {found}" in err


@pytest.fixture
def plan(metadata, make_pipeline):
    spec = spec_of("--release", "24.08")
    pipeline = make_pipeline(model_name="topics", max_batch_size=8)
    return describe(spec, metadata, resolve_settings(spec, metadata), pipeline, docker_plan(spec, None))


def test_the_plan_is_json_and_says_what_will_be(plan):
    plan = json.loads(json.dumps(plan))
    assert plan["labels"] == {"count": 3, "source": "config.json", "texts": list(LABELS)}
    told = {"name": "24.08", "triton": "2.49.0", "onnxruntime": "1.19.0", "opset": 18, "python": "3.10"}
    assert plan["release"] == {**told, "unverified": ["ONNX Runtime is 1.19.0 or 1.18.1 (sources disagree)"]}
    assert plan["task"] == {
        "name": "text-classification",
        "problem_type": "single_label_classification",
        "score_function": "softmax",
        "score_rule": "pipeline",
        "top_k": 1,
    }
    assert plan["served_model"] == {
        "name": "topics",
        "max_batch_size": 8,
        "inputs": ["text_input BYTES [1]"],
        "outputs": ["predicts BYTES [1]", "scores FP32 [1]"],
    }
    assert [step["model"] for step in plan["steps"]] == ["text_preprocessing", "model_onnx", "post_processing"]
    assert plan["image"] == "tritoned_topics:v1"
    assert len(plan["base_images"]) == 2


def test_without_an_image_the_plan_names_none(metadata, make_pipeline):
    spec = spec_of("--no-image", "--device", "gpu")
    plan = describe(spec, metadata, resolve_settings(spec, metadata), make_pipeline(), docker_plan(spec, None))
    assert plan["image"] is None
    assert len(plan["base_images"]) == 1


def test_the_plan_for_a_person_has_a_line_a_value(plan):
    lines = as_text(plan).splitlines()
    assert "image: tritoned_topics:v1" in lines
    assert "  reference: hf:user/tok@v1" in lines
    assert "  model_onnx: input_ids INT64 [-1], attention_mask INT64 [-1], token_type_ids INT64 [-1] -> " in "\n".join(
        lines
    )


@pytest.fixture
def graph():
    """As `predict` tells it."""
    return Graph(
        path=Path("model.onnx"),
        inputs=tuple(TensorSpec(name=name, dtype="INT64", dims=(-1,)) for name in ("input_ids", "attention_mask")),
        outputs=(TensorSpec(name="logits", dtype="FP32", dims=(3,)),),
    )


def planned(metadata, graph, *options, **tokenizer):
    spec = spec_of(*options)
    return served_pipeline(spec, metadata, resolve_settings(spec, metadata), graph, **tokenizer)


def test_the_pipeline_has_the_builds_tensors_names_and_settings(metadata, graph, tmp_path):
    frozen = {"tokenizer_file": tmp_path / "tokenizer.json", "tokenization": {"max_length": 7}}
    pipeline = planned(metadata, graph, "--top-k", "2", "--device", "gpu", **frozen)
    first, middle, last = pipeline.steps
    assert (pipeline.model_name, pipeline.max_batch_size, pipeline.layout) == ("topics", 8, "ensemble")
    assert [str(tensor) for tensor in pipeline.outputs] == ["predicts BYTES [2]", "scores FP32 [2]"]
    assert first.outputs == middle.inputs == graph.inputs
    assert first.documents == {"settings.json": {"max_length": 7}}
    assert middle.instance_kind == "KIND_GPU"
    assert last.documents["id2label.json"] == dict(zip("012", LABELS, strict=True))
    assert last.documents["settings.json"] == {"score_function": "softmax", "top_k": 2}


def test_the_pipeline_has_the_names_that_were_given(metadata, graph):
    names = ["--input-name", "text", "--output-name", "scores=p", "--step-name", "text_preprocessing=tokenizer"]
    pipeline = planned(metadata, graph, *names)
    assert [tensor.name for tensor in (*pipeline.inputs, *pipeline.outputs)] == ["text", "predicts", "p"]
    assert [step.model_name for step in pipeline.steps] == ["tokenizer", "model_onnx", "post_processing"]
    assert pipeline.steps[0].inputs == pipeline.inputs
    assert pipeline.steps[-1].outputs == pipeline.outputs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--output-name", "label"], ["--output-name 'label'", "predicts, scores"]),
        (["--output-name", "logits=x"], ["--output-name 'logits'", "predicts, scores"]),
        (["--output-name", "predicts=scores"], ["two tensors one name"]),
        (["--input-name", "scores"], ["'scores'", "--input-name"]),
        (["--output-name", "scores=text_input"], ["'text_input'", "--output-name"]),
        (["--output-name", "scores=logits"], ["'logits'", "--output-name"]),
        (["--input-name", "input_ids"], ["'input_ids'", "--input-name"]),
        (["--output-name", "scores=attention_mask"], ["'attention_mask'", "--output-name"]),
        (["--top-k", "4"], ["--top-k 4", "at most 3"]),
    ],
)
def test_names_and_settings_that_cannot_be_are_told_before_anything_slow(metadata, options, said):
    with pytest.raises(UsageError) as refusal:
        resolve_settings(spec_of(*options), metadata)
    assert all(words in str(refusal.value) for words in said), str(refusal.value)


def test_a_task_without_labels_has_none_in_plan_and_image(metadata, make_pipeline):
    spec, unlabelled = spec_of(), replace(metadata, labels=None)
    assert unlabelled.label_texts == ()
    assert "triton-image-factory.labels" not in oci_labels(spec, unlabelled)
    assert describe(spec, unlabelled, {}, make_pipeline(), docker_plan(spec, None))["labels"] is None


@pytest.mark.parametrize("engine", [None, RecordingEngine(missing=["ubuntu:24.04"])])
def test_torchscript_is_built_on_the_whole_base_image_whatever_the_device(engine):
    plan = docker_plan(spec_of("--format", "torchscript"), engine)
    assert plan["runtime"] == "full"
    if engine:
        assert (engine.backend, engine.pulled) == ("pytorch", [plan["triton_image"]])


def test_tuning_reaches_the_graph_and_stands_in_the_plan(metadata, graph, make_pipeline):
    options = ["--layout", "ensemble", "--threads", "2", "--instances", "3", "--batch-delay", "500"]
    _, middle, last = planned(metadata, graph, *options, tokenizer_file=None, tokenization={}).steps
    assert (middle.threads, middle.instances, middle.batch_delay) == (2, 3, 500)
    assert (last.threads, last.instances, last.batch_delay) == (0, 1, 0)
    spec = spec_of(*options)
    plan = describe(spec, metadata, resolve_settings(spec, metadata), make_pipeline(), docker_plan(spec, None))
    assert plan["tuning"] == {"threads": 2, "instances": 3, "batch_delay": 500}
    assert "  instances: 3" in as_text(plan).splitlines()


def test_without_tuning_the_plan_says_nothing_of_it(plan):
    assert "tuning" not in plan
