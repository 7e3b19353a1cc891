"""Options of speed: parsed early, and applied to the steps that run a graph."""

from dataclasses import asdict, replace

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Step
from utils.repository.render import render_step
from utils.repository.steps import bare_graph
from utils.repository.tuned import computing, tuned
from utils.targets.tuning import KNOBS, Tuning, parse_tuning
from utils.tasks import TASKS

TASK = "text-classification"
ALL = Tuning(threads=3, instances=2, token_budget=512, batch_delay=1500)


def spec_of(*options, batch="8"):
    return parse_arguments(["./model", "./tokenizer", "-", "topics", "v1", batch, *options])


def refusal(*options, batch="8"):
    with pytest.raises(UsageError) as caught:
        spec_of(*options, batch=batch)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.fixture
def fused(make_ingredients):
    ingredients = make_ingredients(model_name="topics")
    return LAYOUTS["fused"](ingredients, tuple(make(ingredients) for make in TASKS[TASK].layouts["fused"]))


def config_of(pipeline, step):
    return text_format.Parse(render_step(pipeline, step), model_config_pb2.ModelConfig())


def test_a_value_has_a_row_of_its_own():
    assert list(KNOBS) == list(asdict(Tuning()))
    assert spec_of().target.tuning == Tuning()
    assert Tuning().values == {}


def test_every_option_arrives():
    options = [f"{KNOBS[name].option}={value}" for name, value in ALL.values.items()]
    assert spec_of("--layout", "fused", *options).target.tuning == ALL
    assert spec_of("--batch-delay", "0").target.tuning.values == {"batch_delay": 0}
    assert spec_of("--device", "gpu", "--instances=4", "--batch-delay=500").target.tuning == Tuning(
        instances=4, batch_delay=500
    )


def test_a_yaml_file_says_the_same(tmp_path):
    file = tmp_path / "tuned.yaml"
    file.write_text("threads: 3\ninstances: 2\nbatch_delay: 0\n", encoding="utf-8")
    assert spec_of("--config", str(file)).target.tuning == Tuning(threads=3, instances=2, batch_delay=0)


@pytest.mark.parametrize(
    ("options", "output"),
    [
        (["--threads", "0"], ["--threads is '0'", "from 1 to 1024"]),
        (["--threads", "all"], ["--threads is 'all'"]),
        (["--instances", "65"], ["--instances is '65'", "from 1 to 64"]),
        (["--batch-delay", "-1"], ["--batch-delay"]),
        (["--batch-delay", "1.5"], ["--batch-delay is '1.5'", "from 0 to 1000000"]),
        (["--token-budget", "512", "--layout", "ensemble"], ["--token-budget 512", "choose --layout fused"]),
        (["--token-budget", "512", "--device", "gpu"], ["--token-budget 512 does not go with"]),
        (["--threads", "2", "--device", "gpu"], ["--threads 2", "--device gpu", "build with --device cpu"]),
        (["--threads", "2", "--format", "torchscript"], ["--threads 2", "build with --format onnx"]),
    ],
)
def test_what_has_no_effect_is_refused(options, output):
    message = refusal(*options)
    assert all(words in message for words in output), message


def test_the_layout_is_one_that_heeds_what_is_given():
    spec = spec_of("--token-budget", "512")
    assert (spec.serving.layout, spec.target.tuning) == ("fused", Tuning(token_budget=512))


def test_texts_that_come_one_by_one_wait_for_nothing():
    assert "MAX_BATCH_SIZE 1" in refusal("--batch-delay", "500", batch="1")
    built = {"layout": "ensemble", "device": "cpu", "format": "onnx"}
    assert parse_tuning({"batch_delay": "500"}, max_batch_size=2, **built) == Tuning(batch_delay=500)


def test_where_a_row_fits():
    cpu = {"layout": "fused", "device": "cpu", "format": "onnx"}
    gpu = {"layout": "ensemble", "device": "gpu", "format": "onnx"}
    assert [name for name, row in KNOBS.items() if row.fits(**cpu)] == list(KNOBS)
    assert [name for name, row in KNOBS.items() if row.fits(**gpu)] == ["instances", "batch_delay"]


def test_nothing_given_changes_nothing(make_pipeline, fused):
    for pipeline in (make_pipeline(), fused):
        assert tuned(pipeline, Tuning()) == pipeline


def test_only_the_graph_s_step_of_an_ensemble_is_set(make_pipeline):
    pipeline = tuned(make_pipeline(), replace(ALL, token_budget=None))
    first, graph, last = pipeline.steps
    assert computing(pipeline) == (graph,)
    config = config_of(pipeline, graph)
    assert config.parameters["intra_op_thread_count"].string_value == "3"
    assert [group.count for group in config.instance_group] == [2]
    assert config.dynamic_batching.max_queue_delay_microseconds == 1500
    assert not config.dynamic_batching.HasField("default_queue_policy"), "with one, the batcher looks every 500 ms"
    for other in (first, last):
        config = config_of(pipeline, other)
        assert [group.count for group in config.instance_group] == [1]
        assert config.dynamic_batching.max_queue_delay_microseconds == 0
        assert list(config.parameters) == ["served_model"]


def test_the_fused_step_reads_its_settings(fused):
    pipeline = tuned(fused, ALL)
    (step,) = pipeline.steps
    settings = step.documents["settings.json"]
    assert (settings["threads"], settings["token_budget"]) == (3, 512)
    assert {name: value for name, value in settings.items() if name not in ("threads", "token_budget")}.items() <= (
        fused.steps[0].documents["settings.json"].items()
    )
    config = config_of(pipeline, step)
    assert [group.count for group in config.instance_group] == [2]
    assert config.dynamic_batching.max_queue_delay_microseconds == 1500


def test_torchscript_has_instances_and_a_delay(make_pipeline):
    pipeline = make_pipeline()
    steps = tuple(replace(step, component=step.component.replace("onnx", "torchscript")) for step in pipeline.steps)
    pipeline = tuned(replace(pipeline, steps=steps), Tuning(instances=2, batch_delay=700))
    config = config_of(pipeline, pipeline.steps[1])
    assert [group.count for group in config.instance_group] == [2]
    assert config.dynamic_batching.max_queue_delay_microseconds == 700


@pytest.mark.parametrize("delay", [0, 700])
def test_a_delay_lets_requests_to_a_bare_graph_share_a_run(make_ingredients, make_pipeline, delay):
    bare = bare_graph(make_ingredients(max_batch_size=8))
    pipeline = replace(make_pipeline(), steps=(bare,))
    assert not config_of(pipeline, bare).HasField("dynamic_batching")
    (step,) = tuned(pipeline, Tuning(batch_delay=delay)).steps
    config = config_of(pipeline, step)
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == delay


def test_a_delay_is_refused_where_the_graph_takes_one_row(make_pipeline):
    pipeline = make_pipeline()
    steps = tuple(replace(step, max_batch_size=0) for step in pipeline.steps)
    with pytest.raises(UsageError, match="--batch-delay 500 has no effect: the graph takes one row at a time"):
        tuned(replace(pipeline, steps=steps), Tuning(batch_delay=500))


def test_a_step_s_own_defaults_are_those_of_triton():
    fields = Step.__dataclass_fields__
    assert (fields["threads"].default, fields["instances"].default, fields["batch_delay"].default) == (0, 1, 0)
