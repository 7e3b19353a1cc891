from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def yaml_file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        file = tmp_path / "build.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write
