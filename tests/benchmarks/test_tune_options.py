import pytest

from benchmarks.tune_options import parse_arguments
from utils.host.build_tree import BUILD
from utils.host.errors import UsageError


def test_the_defaults():
    options = parse_arguments(["topics"])
    assert (options.tree, options.out) == (BUILD / "topics/latest", BUILD / "topics/latest.tuned.yaml")
    assert (options.clients, options.texts, options.only) == ((32, 1), None, ())


def test_every_option_arrives(tmp_path):
    file = tmp_path / "texts.txt"
    options = parse_arguments(
        ["topics", "v1", "--only", "threads,batch-delay", "--clients", "8", "--texts", str(file),
         "--minutes=2", "--rounds=4", "--seconds=5", "--out", str(tmp_path / "out.yaml")]
    )  # fmt: skip
    assert (options.clients, options.texts, options.out) == ((8,), file, tmp_path / "out.yaml")
    assert options.only == ("threads", "batch_delay")
    assert (options.minutes, options.rounds, options.seconds) == (2, 4, 5)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "NAME"),
        (["../x"], "MODEL_NAME '../x'"),
        (["topics", "a/b"], "TAG 'a/b'"),
        (["topics", "--clients", "32,none"], "--clients is 'none'"),
        (["topics", "--clients", ""], "--clients is ''"),
        (["topics", "--only", "threads,queue"], "--only 'queue' is not known; choose from: threads, instances"),
        (["topics", "--minutes", "0"], "--minutes is '0'"),
        (["topics", "--rounds", "x"], "--rounds is 'x'"),
        (["topics", "--seconds", "0.5"], "--seconds is '0.5'"),
    ],
)
def test_refusals(argv, message):
    with pytest.raises(UsageError) as caught:
        parse_arguments(argv)
    assert message in str(caught.value)
