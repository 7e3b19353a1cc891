import pytest

from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.options.command_line import make_parser
from utils.repository.accelerators import ACCELERATORS
from utils.repository.layouts import LAYOUTS
from utils.repository.render import COMPONENTS_ROOT
from utils.targets.engines import DEFAULT_ENGINE, ENGINES, find_engine
from utils.targets.formats import FORMATS
from utils.targets.precisions import PRECISIONS
from utils.targets.releases import usable_releases
from utils.targets.runtimes import RUNTIMES

ON_TENSORRT = ["--device", "gpu", "--engine", "tensorrt"]
ASKED = ["model", "tokenizer", "-", "topics", "v1", "8"]


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_each_speaks_of_rows_of_the_other_tables(engine):
    assert set(engine.layouts) <= set(LAYOUTS)
    assert set(engine.devices) <= set(RUNTIMES)
    assert set(engine.precisions) <= set(PRECISIONS)
    assert set(engine.formats) <= set(FORMATS)
    assert set(engine.releases) <= set(engine.precisions)
    assert {each for known in engine.releases.values() for each in known if each} <= set(usable_releases())
    assert not engine.accelerator or engine.accelerator in ACCELERATORS
    assert engine.name in make_parser().format_help()


@pytest.mark.parametrize("engine", [each for each in ENGINES.values() if "fused" in each.layouts], ids=lambda x: x.name)
def test_an_engine_of_the_fused_layout_has_its_session(engine):
    assert (COMPONENTS_ROOT / f"shared/{engine.name}_session.py").is_file()
    assert (COMPONENTS_ROOT / f"fused/1/{engine.name}_session.py").is_symlink()
    assert (COMPONENTS_ROOT / f"fused/requirements-{engine.name}.txt").is_file()


def test_every_precision_has_one():
    assert {name for engine in ENGINES.values() for name in engine.precisions} == set(PRECISIONS)


def test_the_default_is_found_without_a_name():
    assert find_engine(None, "gpu") is ENGINES[DEFAULT_ENGINE]


@pytest.mark.parametrize("layout", [[], ["--layout", "fused"]])
def test_an_engine_brings_a_layout_that_it_runs(layout):
    spec = parse_arguments([*ASKED, "--engine", "openvino", *layout])
    assert (spec.target.engine.name, spec.serving.layout) == ("openvino", "fused")


@pytest.mark.parametrize(
    "options", [["fp32", "24.04"], ["fp16", "24.04"], ["fp16", "26.08"], ["bf16", "26.02"], ["bf16", "26.05"]]
)
def test_tensorrt_in_the_releases_that_know_its_parameters(options):
    precision, release = options
    spec = parse_arguments([*ASKED, *ON_TENSORRT, "--precision", precision, "--release", release])
    assert (spec.target.engine.name, spec.serving.layout) == ("tensorrt", "ensemble")
    assert (spec.target.reduction.precision.name, spec.target.release.name) == (precision, release)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "tflite"], "--engine 'tflite' is not known; choose one of: onnxruntime, openvino, tensorrt"),
        (["--engine", "tensorrt"], "not for --device cpu; leave it out, or build with --device gpu"),
        ([*ON_TENSORRT, "--task", "logits"], "--engine tensorrt does not go with --task logits"),
        ([*ON_TENSORRT, "--task", "onnx"], "--engine tensorrt does not go with --task onnx"),
        ([*ON_TENSORRT, "--format", "torchscript"], "--engine tensorrt is not for --format torchscript"),
        ([*ON_TENSORRT, "--release", "24.03"], "not for Triton 24.03, only for releases 24.04 and newer"),
        ([*ON_TENSORRT, "--precision", "bf16"], "only for releases from 26.02 to 26.05"),
        (["--device", "gpu", "--precision", "bf16"], "choose one of these, or --engine tensorrt"),
        (["--engine", "openvino", "--device", "gpu"], "--engine openvino is not for --device gpu"),
        (
            ["--engine", "openvino", "--layout", "ensemble"],
            "--engine openvino does not go with --layout ensemble; leave it out, or choose --layout fused",
        ),
        (
            ["--engine", "openvino", "--task", "question-answering"],
            "--engine openvino does not go with --task question-answering; leave it out",
        ),
        (["--engine", "openvino", "--precision", "int8"], "which computes in fp32, bf16"),
        (["--precision", "bf16"], "choose one of these, or --engine openvino"),
        (
            ["--engine", "openvino", "--format", "torchscript"],
            "--format torchscript does not go with --engine openvino",
        ),
    ],
)
def test_what_it_does_not_run_is_reported(options, words):
    with pytest.raises(UsageError) as caught:
        parse_arguments([*ASKED, *options])
    assert words in str(caught.value)
