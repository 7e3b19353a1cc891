"""How many instances a server starts with, from the CPUs, the memory and the weights."""

import os
from pathlib import Path

import pytest

from deploy.supervisor import instances
from deploy.supervisor.instances import Instances
from utils import ROOT

CONFIG = 'name: "m"\ninstance_group [ { count: 1 kind: KIND_CPU } ]\n'
AUTOMATIC = 'parameters { key: "instances" value { string_value: "auto" } }\n'


@pytest.fixture
def start(tmp_path, monkeypatch):
    """start(setting, cpus, memory, weights, config): the Instances, closed at the end."""
    made = []

    def make(setting=0, *, cpus=32, memory=1000, weights=10, config=CONFIG + AUTOMATIC):
        monkeypatch.setattr(instances, "cpu_count", lambda: cpus)
        monkeypatch.setattr(instances, "memory_bytes", lambda: memory)
        version = tmp_path / "models/m/1"
        version.mkdir(parents=True)
        (version / "model.onnx").write_bytes(b"w" * weights)
        (version / "model.onnx_data").write_bytes(b"w" * weights)
        (tmp_path / "models/m/config.pbtxt").write_text(config)
        (tmp_path / "models/other").mkdir()
        made.append(Instances([str(tmp_path / "models"), "s3://bucket/models"], setting))
        return made[-1]

    yield make
    for each in made:
        each.close()


def count(started, tmp_path):
    folder, remote = started.repositories
    assert remote == "s3://bucket/models"
    if folder == str(tmp_path / "models"):
        return 1
    text = instances.config_of(folder, "m")
    assert (len(text.splitlines()), text.count("count: ")) == (3, 1)
    return int(text.partition("count: ")[2].partition(" ")[0])


@pytest.mark.parametrize(
    ("cpus", "memory", "awaited"),
    [(1, 1000, 1), (15, 1000, 1), (16, 1000, 2), (64, 1000, 8), (512, 1000, 12), (16, 80, 1)],
)
def test_there_is_one_for_each_few_cpus_if_the_weights_fit(start, tmp_path, cpus, memory, awaited):
    assert count(start(cpus=cpus, memory=memory), tmp_path) == awaited


def test_a_setting_wins(start, tmp_path):
    assert count(start(5, cpus=2, memory=1), tmp_path) == 5


def test_all_else_of_the_repository_is_linked(start, tmp_path):
    started = start()
    (folder, _), source = started.repositories, tmp_path / "models"
    assert [path.readlink() for path in ((source / folder / "m/1"), (source / folder / "other"))] == [
        source / "m/1",
        source / "other",
    ]
    started.close()
    assert not (source / folder).exists()
    assert (source / "m/1/model.onnx").is_file()


def test_what_a_killed_supervisor_left_is_replaced(start, tmp_path):
    left = Path(f"/tmp/triton-models-{os.getpid()}/0/m")
    left.mkdir(parents=True)
    (left / "1").symlink_to(tmp_path)
    started = start()
    assert count(started, tmp_path) == 4
    assert (left / "1").readlink() == tmp_path / "models/m/1"


def test_a_folder_that_cannot_be_written_leaves_one_instance(start, tmp_path, monkeypatch, capfd):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(instances, "_linked", refuse)
    assert count(start(), tmp_path) == 1
    assert "No space left" in "".join(capfd.readouterr())


def test_the_fused_template_has_the_mark():
    assert instances.AUTOMATIC.search((ROOT / "model_repository/fused/config.pbtxt.template").read_text())
