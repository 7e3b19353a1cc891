import pytest


@pytest.fixture
def yaml_file(tmp_path):
    def write(text):
        file = tmp_path / "build.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write
