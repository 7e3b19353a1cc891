import pytest

from utils.sources.model_card import licence_of


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\n# Model\n", "apache-2.0"),
        ("---\r\nlicense: mit\r\n---\r\n# Model\r\n", "mit"),
        ("---\nlicense: other\nlicense_name: llama3\n---\n", "llama3"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\nlicense: [cc-by-4.0]\n---\n", "cc-by-4.0"),
        ("---\ntags: [a]\n---\n", ""),
        ("# Model\n\nlicense: mit\n", ""),
        ("---\nlicense: mit\n", ""),
        ("---\n[: :\n---\n", ""),
        ("---\n- license\n---\n", ""),
        ("---\nlicense: 3\n---\n", ""),
    ],
)
def test_the_licence_is_that_of_the_front_matter(tmp_path, text, licence):
    (tmp_path / "README.md").write_bytes(text.encode())
    assert licence_of(tmp_path) == licence


def test_no_card_and_no_text(tmp_path):
    assert licence_of(tmp_path) == ""
    (tmp_path / "README.md").write_bytes(b"---\nlicense: \xff\n---\n")
    assert licence_of(tmp_path) == ""
    assert licence_of(tmp_path / "README.md") == "", "a reference may name a file"
