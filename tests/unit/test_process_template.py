import pytest

from utils.host.errors import RenderError, UsageError
from utils.process_template import process
from utils.repository.check import check_repository
from utils.repository.context import Context, write_context


@pytest.fixture
def context_file(make_pipeline, tmp_path):
    pipeline = make_pipeline(model_name="topics")
    context = Context(pipeline=pipeline, image="topics:v1", device="cpu", docker={}, oci_labels={})
    return write_context(context, tmp_path / "tree")


def test_the_printed_path_has_a_complete_repository(context_file, tmp_path):
    output = tmp_path / "not there" / "yet"
    assert process([str(context_file), str(output)]) == str(output / "model_repository")
    check_repository(output / "model_repository", "topics")


def test_a_second_run_changes_nothing_and_is_refused(context_file, tmp_path):
    process([str(context_file), str(tmp_path / "out")])
    (tmp_path / "out" / "model_repository" / "mine").write_text("mine")
    with pytest.raises(RenderError) as refusal:
        process([str(context_file), str(tmp_path / "out")])
    assert refusal.value.exit_code == 6
    assert "already exists" in str(refusal.value)
    assert (tmp_path / "out" / "model_repository" / "mine").read_text() == "mine"


def test_a_moved_tree_can_be_rendered(context_file, tmp_path):
    context_file.parent.rename(tmp_path / "moved")
    process([str(tmp_path / "moved" / "context.json"), str(tmp_path / "out")])
    check_repository(tmp_path / "out" / "model_repository", "topics")


def test_a_missing_context_writes_nothing(tmp_path):
    with pytest.raises(RenderError, match=r"nowhere\.json' cannot be read"):
        process([str(tmp_path / "nowhere.json"), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("argv", [[], ["context.json"], ["a", "b", "c"], ["a", "b", "--force"]])
def test_wrong_arguments_mention_the_help(argv):
    with pytest.raises(UsageError, match=r"see process_template\.sh --help"):
        process(argv)
