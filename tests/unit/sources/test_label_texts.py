"""More refusals are in tests/unit/sources/test_labels.py and tests/bad_input/test_labels.py."""

import pytest

from utils.host.errors import SourceError
from utils.sources.label_texts import check_texts
from utils.sources.requirements import SourceRequirements

STRICT = SourceRequirements()


@pytest.mark.parametrize(
    "label", [" ", "\n", "LABEL", "LABEL_", "LABEL_x", "label_0", "xLABEL_0", "0", "{{ x }}", "🦊"]
)
def test_unusual_texts_are_kept(label):
    assert check_texts([label, "other"], "l.json", STRICT) == (label, "other")


@pytest.mark.parametrize("label", ["", None, 0, True, [], {}, 1.5, "\ud800", "LABEL_0", "LABEL_10"])
def test_an_invalid_label_is_refused(label):
    with pytest.raises(SourceError, match=r"'l\.json': label 1 "):
        check_texts(["other", label], "l.json", STRICT)


def test_ten_thousand_labels():
    labels = [f"label {index}" for index in range(10_000)]
    assert check_texts(labels, "l.json", STRICT) == tuple(labels)
    with pytest.raises(SourceError, match="labels 9 and 10000 are both 'label 9'"):
        check_texts([*labels, "label 9"], "l.json", STRICT)
