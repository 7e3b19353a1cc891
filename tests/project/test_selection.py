"""Which tests a run has: the marker long, and what the end of a run says about it."""

import pytest

pytest_plugins = "pytester"
HOOKS = "from tests.selection import pytest_collection_modifyitems, pytest_terminal_summary"
MATRIX = """
import pytest
from tests.selection import mostly_long

@pytest.mark.long({})
@pytest.mark.parametrize("member", ["a", "b1", "b2"])
def test_matrix(member):
    pass

@pytest.fixture(params=mostly_long(["a", "b"], "b"))
def made(request):
    return request.param

def test_made(made):
    pass
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """`run(kept, *arguments, long_forms="")`: the outcome of a run of MATRIX."""

    def start(kept, *arguments, long_forms=""):
        monkeypatch.setenv("LONG_FORMS", long_forms)
        pytester.makeconftest(HOOKS)
        pytester.makepyfile(test_it=MATRIX.format(kept))
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)

    return start


@pytest.mark.parametrize(("kept", "members"), [("", 0), ("'a', 'b*'", 3)])
def test_the_default_run_has_the_members_that_the_marker_names(run, kept, members):
    done = run(kept)
    done.assert_outcomes(passed=members + 1, deselected=4 - members)
    done.stdout.fnmatch_lines([f"{4 - members} long forms are left out; ./run_tests.sh --long runs them too"])


def test_a_long_run_has_all(run):
    run("'a'", long_forms="1").assert_outcomes(passed=5)


def test_a_test_that_is_named_runs(run):
    run("'a'", "test_it.py::test_matrix[b1]").assert_outcomes(passed=1)


def test_a_member_that_does_not_exist_is_an_error(run):
    done = run("'a', 'c'")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "test_matrix has no member ['c'], which its marker long names" in done.stderr.str()
