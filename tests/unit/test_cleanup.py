import fcntl

import pytest

from utils import cleanup
from utils.host import build_tree
from utils.host.build_tree import SENTINEL
from utils.host.errors import UsageError


@pytest.fixture
def build(tmp_path, monkeypatch):
    folder = tmp_path / "build"
    folder.mkdir()
    for module in (build_tree, cleanup):
        monkeypatch.setattr(module, "BUILD", folder)
    return folder


def make(folder, *, sentinel=True):
    folder.mkdir(parents=True)
    (folder / "content").write_text("content")
    if sentinel:
        (folder / SENTINEL).touch()
    return folder


def test_all_trees_are_removed_and_listed(build):
    for tree in ("topics/v1", "topics/v2", "other/latest", ".unfinished/topics/v1", ".work/topics-v1-abc"):
        make(build / tree)
    assert sorted(cleanup.clean([]).splitlines()) == sorted(
        f"removed build/{tree}"
        for tree in ("topics/v1", "topics/v2", "other/latest", ".unfinished/topics/v1", ".work/topics-v1-abc")
    )
    assert not list(build.rglob("content"))


def test_only_empty_parent_folders_are_removed(build):
    make(build / "topics/v1")
    make(build / "topics/v2")
    cleanup.clean(["topics", "v1"])
    assert (build / "topics" / "v2" / "content").is_file()
    cleanup.clean(["topics", "v2"])
    assert not (build / "topics").exists()


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        (["topics"], {"topics/v1", "topics/v2", ".unfinished/topics/v1"}),
        (["topics", "v1"], {"topics/v1", ".unfinished/topics/v1"}),
        (["topics", "v2"], {"topics/v2"}),
        (["other"], {"other/v1"}),
    ],
)
def test_a_name_and_a_tag_select_trees(build, arguments, gone):
    trees = {"topics/v1", "topics/v2", "other/v1", ".unfinished/topics/v1", ".work/topics-v1-abc"}
    for tree in trees:
        make(build / tree)
    expected = cleanup.clean(arguments)
    assert {line.removeprefix("removed build/") for line in expected.splitlines()} == gone
    assert {tree for tree in trees if (build / tree).exists()} == trees - gone


def test_folders_without_the_sentinel_are_kept(build):
    foreign = [make(build / tree, sentinel=False) for tree in ("topics/mine", "mine/v1", ".unfinished/mine/v1", "flat")]
    make(build / "topics/v1")
    assert cleanup.clean([]) == "removed build/topics/v1"
    assert all((folder / "content").is_file() for folder in foreign)


def test_a_named_folder_without_the_sentinel_is_refused(build):
    folder = make(build / "topics/v1", sentinel=False)
    with pytest.raises(UsageError) as refusal:
        cleanup.clean(["topics", "v1"])
    assert refusal.value.exit_code == 2
    assert "'topics:v1'" in str(refusal.value)
    assert "nothing was removed" in str(refusal.value)
    assert (folder / "content").is_file()


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["topics", "nothing"], [".."], ["*"], [".unfinished"], ["topics/v1"]]
)
def test_a_missing_build_is_reported(build, arguments):
    make(build / "topics/v1")
    with pytest.raises(UsageError) as refusal:
        cleanup.clean(arguments)
    assert repr(arguments[0] if len(arguments) == 1 else "topics:nothing") in str(refusal.value)
    assert str(build) in str(refusal.value)
    assert (build / "topics" / "v1" / "content").is_file()


@pytest.mark.parametrize("build_exists", [True, False])
def test_nothing_to_remove_is_not_an_error(build, build_exists):
    if not build_exists:
        build.rmdir()
    assert cleanup.clean([]) == "nothing to remove"


def test_links_are_not_followed(build, tmp_path):
    behind = make(tmp_path / "elsewhere" / "v1")
    (build / "topics").mkdir()
    (build / "topics" / "v1").symlink_to(behind)
    (build / "linked").symlink_to(behind.parent)
    assert cleanup.clean([]) == "nothing to remove"
    assert (behind / "content").is_file()


def test_the_target_of_a_link_in_a_tree_is_kept(build, tmp_path):
    behind = make(tmp_path / "elsewhere", sentinel=False)
    (make(build / "topics/v1") / "link").symlink_to(behind)
    assert cleanup.clean([]) == "removed build/topics/v1"
    assert (behind / "content").is_file()


def test_a_running_build_is_kept_and_listed(build):
    running = make(build / ".work/topics-v1-abc")
    make(build / "topics/v1")
    with (running / SENTINEL).open() as sentinel:
        fcntl.flock(sentinel, fcntl.LOCK_EX)
        lines = cleanup.clean([]).splitlines()
    assert sorted(lines) == ["kept build/.work/topics-v1-abc: a build is running in it", "removed build/topics/v1"]
    assert (running / "content").is_file()


@pytest.mark.parametrize("arguments", [["--all"], ["a", "b", "c"], ["--force", "topics"]])
def test_wrong_arguments_remove_nothing(build, arguments):
    make(build / "topics/v1")
    with pytest.raises(UsageError, match=r"see cleanup\.sh --help"):
        cleanup.clean(arguments)
    assert (build / "topics" / "v1").is_dir()
