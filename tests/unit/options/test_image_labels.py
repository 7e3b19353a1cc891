import pytest

from tests.small_specs import refusal, spec_of
from utils.options.build_spec import parse_arguments

ARGUMENTS = ["./model", "hf:user/tok", "-"]


def test_labels_are_read():
    assert spec_of("--label", "team=search", "--label", "a.b/c=").output.labels == {"team": "search", "a.b/c": ""}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (["team"], "'team' is not KEY=VALUE"),
        (["=x"], "'=x' is not KEY=VALUE"),
        (["a b=x"], "'a b=x' is not KEY=VALUE"),
        (["triton-image-factory.labels=[]"], "triton-image-factory.labels is set by the build itself"),
        (["a=1", "a=2"], "--label a is given twice"),
        (["a=" + "x" * 20_000], "--label a is too long"),
    ],
)
def test_an_impossible_label_is_refused(labels, sentence):
    assert sentence in refusal([*ARGUMENTS, *(part for label in labels for part in ("--label", label))])


def test_a_config_file_has_a_list(tmp_path):
    (tmp_path / "build.yaml").write_text("label: [team=search, stage=test]\n")
    spec = parse_arguments([*ARGUMENTS, "--config", str(tmp_path / "build.yaml")])
    assert spec.output.labels == {"team": "search", "stage": "test"}
