"""Build trees below a private build/, with real processes that hold, leave and replace them."""

import os
import signal
from pathlib import Path

import pytest

from utils.host import build_tree
from utils.host.build_tree import SENTINEL, move_into_place, open_build_tree, require_sentinel
from utils.host.errors import UsageError

# A build in its own process: it prints its folder and waits for a line (or for its end).
HOLDER = """
import sys
from pathlib import Path
from utils.host import build_tree
build_tree.BUILD = Path(sys.argv[1])
with build_tree.open_build_tree("topics", "v1") as tree:
    (tree.folder / "half").write_text("written so far")
    print(tree.folder, flush=True)
    sys.stdin.readline()
"""

# Builds repeatedly: writes two files with one content and moves the tree into place.
REPLACER = """
import sys
from pathlib import Path
from utils.host import build_tree
build_tree.BUILD = Path(sys.argv[1])
for turn in range(int(sys.argv[3])):
    with build_tree.open_build_tree("topics", "v1") as tree:
        for name in ("one", "two"):
            (tree.folder / name).write_text(f"{sys.argv[2]}-{turn}")
        build_tree.move_into_place(tree.folder, tree.final)
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    folder = tmp_path / "build"
    monkeypatch.setattr(build_tree, "BUILD", folder)
    return folder


def left(build):
    return sorted(path.name for path in (build / ".work").iterdir())


def place(content, tag="v1"):
    with open_build_tree("topics", tag) as tree:
        (tree.folder / "content").write_text(content)
        return move_into_place(tree.folder, tree.final)


def test_a_finished_tree_is_below_its_name_and_tag(build):
    assert place("first") == build / "topics" / "v1"
    assert (build / "topics" / "v1" / "content").read_text() == "first"
    assert (build / "topics" / "v1" / SENTINEL).is_file()
    assert left(build) == []


def test_a_new_tree_replaces_the_whole_old_one(build):
    place("first")
    (build / "topics" / "v1" / "of the first only").touch()
    place("second")
    assert sorted(path.name for path in (build / "topics" / "v1").iterdir()) == sorted([SENTINEL, "content"])
    assert (build / "topics" / "v1" / "content").read_text() == "second"
    assert left(build) == []


def test_other_tags_are_kept(build):
    place("first", tag="v1")
    place("second", tag="v2")
    assert (build / "topics" / "v1" / "content").read_text() == "first"


def test_any_user_can_enter_the_tree(build):
    assert place("first").stat().st_mode & 0o777 == 0o755


def test_a_failed_build_leaves_nothing_but_the_last_good_tree(build):
    place("good")
    with pytest.raises(RuntimeError, match="broken"), open_build_tree("topics", "v1") as tree:
        (tree.folder / "content").write_text("half")
        raise RuntimeError("broken")
    assert left(build) == []
    assert (build / "topics" / "v1" / "content").read_text() == "good"


def test_a_tree_without_its_image_is_kept_as_unfinished(build):
    place("good")
    with open_build_tree("topics", "v1") as tree:
        assert tree.unfinished == build / ".unfinished" / "topics" / "v1"
        (tree.folder / "content").write_text("no image")
        move_into_place(tree.folder, tree.unfinished)
    assert (build / "topics" / "v1" / "content").read_text() == "good"
    assert (build / ".unfinished" / "topics" / "v1" / "content").read_text() == "no image"


def test_the_old_tree_remains_if_the_new_one_cannot_be_moved(build):
    place("good")
    with pytest.raises(OSError):
        move_into_place(build / ".work" / "is not there", build / "topics" / "v1")
    assert (build / "topics" / "v1" / "content").read_text() == "good"


def test_a_folder_without_sentinel_is_not_replaced(build):
    foreign = build / "topics" / "v1"
    foreign.mkdir(parents=True)
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError) as refusal:
        place("mine")
    assert refusal.value.exit_code == 2
    assert repr(str(foreign)) in str(refusal.value)
    assert SENTINEL in str(refusal.value)
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    assert left(build) == []


def test_the_sentinel_must_be_a_file(tmp_path):
    (tmp_path / SENTINEL).mkdir()
    with pytest.raises(UsageError, match=SENTINEL):
        require_sentinel(tmp_path)


def test_the_error_names_a_build_folder_that_cannot_be_created(build):
    build.write_text("a file")
    with pytest.raises(UsageError) as refusal, open_build_tree("topics", "v1"):
        pass
    assert repr(str(build)) in str(refusal.value)
    assert "writable" in str(refusal.value)


def test_the_longest_names_are_allowed(build):
    with open_build_tree("n" * 128, "t" * 128) as tree:
        assert tree.folder.is_dir()


def held(child):
    """The folder of a HOLDER, once it exists."""
    line = child.stdout.readline().strip()
    assert line, child.stderr.read()
    return Path(line)


def test_the_next_build_removes_what_a_killed_one_left(build, start_child):
    child = start_child(HOLDER, build)
    folder = held(child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=30)
    assert (folder / "half").is_file()
    with open_build_tree("other", "v1"):
        assert not folder.exists()
    assert left(build) == []


def test_a_running_build_keeps_its_folder_while_others_build(build, start_child):
    child = start_child(HOLDER, build)
    folder = held(child)
    place("mine")
    assert (folder / "half").read_text() == "written so far"
    assert build_tree.is_running(folder)
    child.communicate("\n", timeout=30)
    assert child.returncode == 0
    assert not folder.exists()


def test_a_tree_without_lock_is_not_running(build, tmp_path):
    assert not build_tree.is_running(place("mine"))
    assert not build_tree.is_running(tmp_path)


def test_folders_without_sentinel_are_not_removed(build):
    """The sentinel decides, not the place of the folder."""
    places = [build / "foreign", build / "topics" / "foreign", build / ".work" / "foreign"]
    for foreign in places:
        foreign.mkdir(parents=True)
        (foreign / "thesis.txt").write_text("years of work")
    place("mine")
    assert [(foreign / "thesis.txt").is_file() for foreign in places] == [True, True, True]


def test_the_target_of_a_link_among_the_leftovers_is_kept(build, tmp_path):
    behind = tmp_path / "behind"
    behind.mkdir()
    (behind / SENTINEL).touch()
    (behind / "thesis.txt").touch()
    (build / ".work").mkdir(parents=True)
    (build / ".work" / "link").symlink_to(behind)
    place("mine")
    assert (behind / "thesis.txt").is_file()


def test_parallel_builds_of_one_tag_leave_one_complete_tree(build, start_child):
    children = [start_child(REPLACER, build, name, 15) for name in ("red", "green", "blue")]
    for child in children:
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
    tree = build / "topics" / "v1"
    contents = {(tree / name).read_text() for name in ("one", "two")}
    assert contents in [{f"{name}-14"} for name in ("red", "green", "blue")]
    assert left(build) == []
