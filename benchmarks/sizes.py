"""What an image has on top of its base, by the contents of the build tree it is made of."""

import zipfile
from pathlib import Path

MB = 1e6
LEFT_OUT = (".pyi", ".a")  # as the Dockerfile does
LEFT_OUT_FOLDERS = {"tests", "include"}


def on_top_of_base(tree: Path) -> dict[str, float]:
    """MB of the wheels as they are installed (without bytecode), of the model repository, and of both."""
    wheels = sum(
        _installed(wheel) for wheel in (tree / "wheelhouse").glob("*.whl") if not wheel.name.startswith("pip-")
    )
    models = sum(file.stat().st_size for file in (tree / "model_repository").rglob("*") if file.is_file())
    return {"wheels_mb": wheels / MB, "models_mb": models / MB, "size_mb": (wheels + models) / MB}


def _installed(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as archive:
        return sum(entry.file_size for entry in archive.infolist() if not _is_left_out(Path(entry.filename)))


def _is_left_out(path: Path) -> bool:
    return path.suffix in LEFT_OUT or not LEFT_OUT_FOLDERS.isdisjoint(path.parts)
