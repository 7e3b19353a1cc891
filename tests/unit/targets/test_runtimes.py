import re

import pytest
from tritonclient.grpc import model_config_pb2

from utils import ROOT
from utils.options.command_line import make_parser
from utils.targets.runtimes import DEFAULT_DEVICE, RUNTIMES


def test_the_default_is_one_of_them():
    assert DEFAULT_DEVICE in RUNTIMES


@pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=RUNTIMES)
def test_each_names_a_stage_of_the_dockerfile_and_a_kind_of_instance(runtime):
    stages = re.findall(r"^FROM .* AS (\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"runtime-{runtime.stage}" in stages
    assert model_config_pb2.ModelInstanceGroup.Kind.Value(runtime.instance_kind) > 0  # ValueError if unknown


def test_the_help_tells_of_each():
    text = " ".join(make_parser().format_help().split())
    assert all(f"{device}: " in text for device in RUNTIMES)


def test_only_the_gpu_image_asks_for_gpus():
    assert {device: bool(runtime.run_options) for device, runtime in RUNTIMES.items()} == {"cpu": False, "gpu": True}
