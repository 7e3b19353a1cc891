"""Which tests run and in which order: hooks that tests/conftest.py gives to pytest.

`@pytest.mark.long("bert", "clearml: *")` over a test: its members with these ids run always, its others only with
`./run_tests.sh --long`. Without ids the whole test runs only then. A test that is named by its id on the command line
always runs.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

# The files of each folder share expensive fixtures: one worker runs them.
TOGETHER = ("tests/image/release/", "tests/image/", "tests/server/faults/", "tests/clients/")
# {a scope: the seconds that it takes in a run of all tests}; scopes that are not named take less than any of them.
SECONDS = {scope: int(seconds) for seconds, scope in map(str.split, Path(__file__).with_name("seconds.txt").open("r"))}
# Both build topics:v1, as their pages say.
WITH = {"tests/server/test_adapters.py": "tests/server/test_tasks_page.py"}
LEFT_OUT = pytest.StashKey[int]()


def scope_of(nodeid: str) -> str:
    """What one worker runs as a whole: a file, or a folder of TOGETHER."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if nodeid.startswith(folder)), WITH.get(file, file))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long forms out, and puts the longest scopes first: no worker has them left at the end."""
    if os.environ.get("LONG_FORMS") != "1":
        left_out = [item for item in items if _is_long(item) and item.nodeid not in config.args]
        config.hook.pytest_deselected(items=left_out)
        config.stash[LEFT_OUT] = len(left_out)
        if hasattr(config, "workeroutput"):
            config.workeroutput["left out"] = len(left_out)
        _require_known_members(items)
        items[:] = [item for item in items if item not in set(left_out)]
    items.sort(key=lambda item: -SECONDS.get(scope_of(item.nodeid), 0))


def mostly_long(members: Iterable[Any], *kept: Any) -> list[Any]:
    """The parameters of a fixture: tests with one that is not in `kept` run only with --long."""
    return [each if each in kept else pytest.param(each, marks=pytest.mark.long) for each in members]


def _member(item: pytest.Item) -> str:
    return item.callspec.id if hasattr(item, "callspec") else ""


def _is_long(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("long")
    return marker is not None and not any(fnmatchcase(_member(item), kept) for kept in marker.args)


def _require_known_members(items: list[pytest.Item]) -> None:
    """Ids that a marker names must exist, or a renamed member would leave the run in silence."""
    members = defaultdict(list)
    for item in items:
        if marker := item.get_closest_marker("long"):
            members[item.nodeid.partition("[")[0], marker.args].append(_member(item))
    for (test, kept), found in members.items():
        absent = [each for each in kept if not any(fnmatchcase(member, each) for member in found)]
        if absent and len(found) > 1:
            raise pytest.UsageError(f"{test} has no member {absent}, which its marker long names; it has {found}")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of xdist tells the main process what it left out; all workers leave out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left out", 0)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    left_out = terminalreporter.config.stash.get(LEFT_OUT, 0)
    if left_out:
        terminalreporter.write_line(f"{left_out} long forms are left out; ./run_tests.sh --long runs them too")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs all tests of a scope, so that its fixtures are made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByScope(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return ByScope(config, log)
