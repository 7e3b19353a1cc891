import pytest

from utils.host.errors import UsageError
from utils.options.release_choice import InstalledGpu, choose_release, needs_installed_gpu
from utils.targets.releases import default_release

NO_GPU = InstalledGpu()


def chosen(device="gpu", gpu=NO_GPU, **texts):
    return choose_release(texts, device, gpu)


def test_no_options_choose_the_default():
    for device in ("cpu", "gpu"):
        release, reason = chosen(device)
        assert (release.name, reason) == (default_release(), "")


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        ({"compute_capability": "6.1"}, "24.12"),
        ({"compute_capability": "8.6"}, default_release()),
        ({"driver": "535.104", "compute_capability": "6.1"}, "24.12"),
        ({"driver": "535.104", "compute_capability": "12.0"}, "25.07"),
        ({"driver": "535.104"}, "25.07"),
        ({"release": "24.12", "compute_capability": "7.0"}, "24.12"),
    ],
)
def test_the_newest_release_that_driver_and_gpu_both_run(texts, name):
    assert chosen(**texts)[0].name == name


def test_the_gpu_of_this_machine_counts_where_nothing_is_named():
    gpu = InstalledGpu(driver="535.104.05", capability="6.1")
    release, reason = chosen(gpu=gpu)
    assert release.name == "24.12" and "535.104.05" in reason
    assert chosen(gpu=gpu, release="26.08")[0].name == "26.08"  # built here, for another machine
    assert chosen("cpu", gpu=gpu)[0].name == default_release()


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({"device": "gpu"}, True),
        ({"device": "gpu", "release": "26.08"}, False),
        ({"device": "cpu"}, False),
        ({}, False),
    ],
)
def test_the_gpu_is_looked_for_only_where_it_decides(values, needed):
    assert needs_installed_gpu(values) == needed


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"release": "26.08", "compute_capability": "6.1"}, "--release 26.08 does not serve"),
        ({"driver": "450.80", "compute_capability": "12.0"}, "25.01 and newer; install 525 or newer"),
        ({"release": "24.01", "opset": "20"}, "at most 19, or choose --release 24.03 or newer"),
        ({"opset": "999"}, "give at most"),
        ({"opset": "0"}, "--opset is '0'"),
        ({"driver": "470.57"}, "install 525 or newer"),
        ({"compute_capability": "nine"}, "is none"),
    ],
)
def test_what_cannot_go_together_is_refused_with_the_way_out(texts, message):
    with pytest.raises(UsageError, match=message):
        chosen(**texts)


@pytest.mark.parametrize("texts", [{"driver": "535"}, {"compute_capability": "8.6"}])
def test_a_gpu_is_no_matter_for_an_image_on_the_cpu(texts):
    with pytest.raises(UsageError, match="add --device gpu"):
        chosen("cpu", **texts)


def test_an_opset_of_ones_own():
    release, _ = chosen("cpu", opset="14")
    assert (release.name, release.opset) == (default_release(), 14)
    assert chosen("cpu", opset=str(release.max_opset))[0].opset == release.max_opset
