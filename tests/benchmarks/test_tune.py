"""From a build to a YAML file, on servers whose speed is a function of the setting."""

import pytest

from benchmarks import knobs, tune, tune_options
from benchmarks.closed_loop import Figures
from utils.host import build_tree
from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.repository.context import Context, write_context
from utils.repository.tuned import tuned
from utils.targets.tuning import Tuning


@pytest.fixture(autouse=True)
def build_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tune_options, "BUILD", tmp_path)
    monkeypatch.setattr(build_tree, "BUILD", tmp_path)
    monkeypatch.setattr(knobs, "cpu_count", lambda: 2)
    monkeypatch.setattr(tune.environment, "ensure", lambda _: None)
    return tmp_path


@pytest.fixture
def build(build_folder, make_pipeline):
    """`build(device=..., **tuning)`: the context of an ensemble as it lies in a build tree."""

    def make(device="cpu", **tuning):
        folder = build_folder / "topics/v1"
        pipeline = tuned(make_pipeline(model_name="topics", folder=folder), Tuning(**tuning))
        (folder / "model_repository").mkdir(parents=True)
        write_context(Context(pipeline=pipeline, image="topics:v1", device=device, docker={}, oci_labels={}), folder)

    return make


@pytest.fixture
def speeds(monkeypatch):
    """`speeds(function of a setting)`: requests a second."""

    def use(rate, seconds=0.0):
        def measure(bench, setting):
            bench.longest = seconds
            each = rate(setting)
            return [Figures(requests_per_second=each, p50_ms=1.0, p99_ms=2.0, cpu_ms=3.0)] * len(bench.options.clients)

        monkeypatch.setattr(tune.Bench, "measure", measure)

    return use


def test_what_wins_is_written_as_the_build_reads_it(build, speeds, build_folder):
    build(instances=2)
    speeds(lambda setting: 100 + setting["batch_delay"])
    out = tune.tune(["topics", "v1", "--only", "threads,batch_delay"])
    assert out == str(build_folder / "topics/v1.tuned.yaml")
    argv = ["./model", "./tokenizer", "-", "topics", "v1", "8", "--config", out]
    assert parse_arguments(argv).target.tuning == Tuning(instances=2, batch_delay=5000)


def test_a_default_that_wins_back_is_written_too(build, speeds, tmp_path):
    build(batch_delay=300)
    speeds(lambda setting: 1000 - setting["batch_delay"] / 10)
    out = tune.tune(["topics", "v1", "--only", "batch_delay", "--out", str(tmp_path / "folder/mine.yaml")])
    assert (tmp_path / "folder/mine.yaml").read_text() == "batch_delay: 0\n"
    assert out == str(tmp_path / "folder/mine.yaml")


def test_nothing_is_written_where_the_build_is_best(build, speeds, build_folder, capsys):
    build()
    speeds(lambda _: 100)
    assert tune.tune(["topics", "v1"]) == ""
    assert "the build is best as it is" in capsys.readouterr().err
    assert not list(build_folder.glob("*/*.yaml"))


def test_what_does_not_win_once_more_is_not_written(build, speeds):
    """As a lucky round has it: fast in its own contest, and never again."""
    build()
    lucky = iter([100, 100, 1000, 100])
    speeds(lambda setting: next(lucky, 100))
    assert tune.tune(["topics", "v1", "--only", "threads", "--rounds", "1"]) == ""


def test_too_little_time_is_reported(build, speeds):
    build()
    speeds(lambda _: 100, seconds=30)
    with pytest.raises(UsageError, match="--minutes 1 is too short to try anything: a measurement takes 30 s"):
        tune.tune(["topics", "v1", "--minutes", "1"])


def test_knobs_without_time_are_named(build, speeds, capsys):
    build()
    speeds(lambda _: 100, seconds=60 / 8)
    assert tune.tune(["topics", "v1", "--minutes", "1", "--rounds", "1", "--only", "batch_delay,threads"]) == ""
    assert "no time for batch_delay: raise --minutes, now 1" in capsys.readouterr().err


def test_what_cannot_be_tuned_is_reported(build):
    with pytest.raises(UsageError, match=r"no finished build .*topics/v1.* --no-image"):
        tune.tune(["topics", "v1"])
    build(device="gpu")
    with pytest.raises(UsageError, match="is for --device gpu, and the Triton that serves here is for the CPU"):
        tune.tune(["topics", "v1"])


def test_a_build_in_use_is_left_alone(build, build_folder):
    build()
    (build_folder / "topics/v1" / build_tree.SENTINEL).touch()
    with (
        build_tree.locked(build_folder / "topics/v1"),
        pytest.raises(UsageError, match="is in use by another build"),
    ):
        tune.tune(["topics", "v1"])
