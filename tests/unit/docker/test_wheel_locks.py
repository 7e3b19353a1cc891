"""The locks of serving wheels, and the real pip with a tampered wheel."""

import re
import zipfile

import pytest

from utils import ROOT
from utils.docker import context, wheelhouse
from utils.docker.wheel_locks import as_lines, locked_hashes, pin_of, read_lines
from utils.host import digest
from utils.host.errors import ImageError

SERVING = [ROOT / context.SERVING_REQUIREMENTS, *sorted((ROOT / "model_repository").glob("*/requirements*.txt"))]


@pytest.mark.parametrize("file", SERVING, ids=lambda file: file.name)
@pytest.mark.parametrize("python", ["3.10", "3.12", "3.13"])
def test_every_serving_requirement_is_locked(file, python):
    pins = wheelhouse.applicable(file, python=python, machine="aarch64")
    assert all(locked_hashes(pins, [file.with_suffix(".lock")]).values())


def test_a_pin_without_a_hash_is_refused(tmp_path):
    (tmp_path / "own.lock").write_text("own==1 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(ImageError, match=r"'own==2' has no hash in .*own\.lock and .*uv pip compile") as caught:
        locked_hashes(["own==2"], [tmp_path / "own.lock", tmp_path / "absent.lock"])
    assert caught.value.exit_code == 7


def test_the_pin_of_a_file_name_is_normalized():
    assert pin_of("Typing_Extensions-4.16.0-py3-none-any.whl") == "typing_extensions==4.16.0"
    assert list(locked_hashes(["typing-extensions==4.16.0"], [ROOT / "requirements.lock"])) == [
        "typing_extensions==4.16.0"
    ]


def test_lines_are_read_as_written(tmp_path):
    hashes = {"numpy==1.26.4": frozenset(["0" * 64, "1" * 64])}
    (tmp_path / "lines").write_text(as_lines(hashes))
    assert read_lines(tmp_path / "lines") == hashes


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder with the locked wheel `own`, which pip uses instead of an index; and pip's own wheel, from the cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = write_wheel(folder / "own-1.0-py3-none-any.whl", "right")
    (tmp_path / "own.txt").write_text("own==1.0\n")
    (tmp_path / "own.lock").write_text(f"own==1.0 \\\n    --hash=sha256:{digest.of_file(wheel)}\n")
    pip = write_wheel(folder / f"{wheelhouse.PIP.replace('==', '-')}-py3-none-any.whl", "not the real pip", name="pip")
    monkeypatch.setattr(wheelhouse, "PIP_HASH", digest.of_file(pip))
    for name, value in {"FIND_LINKS": str(folder), "NO_INDEX": "1", "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def write_wheel(file, text, name="own"):
    version = re.search(r"-([0-9.]+)-", file.name)[1]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", f"TEXT = {text!r}\n")
        archive.writestr(
            f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return file


def fill(tmp_path, **options):
    return wheelhouse.fill(
        tmp_path / "wheels", requirements=[tmp_path / "own.txt"], python="3.12", machine="x86_64", **options
    )


def test_the_real_pip_takes_the_locked_wheel(index, tmp_path):
    assert fill(tmp_path) == f"own==1.0 --hash=sha256:{digest.of_file(index / 'own-1.0-py3-none-any.whl')}\n"


def test_a_tampered_index_is_noticed_by_pip(index, tmp_path):
    write_wheel(index / "own-1.0-py3-none-any.whl", "wrong")
    with pytest.raises(ImageError, match=r"another file for own==1\.0 \(own-1\.0-py3-none-any\.whl\) than the lock"):
        fill(tmp_path)


def test_a_tampered_cache_is_noticed(index, tmp_path):
    fill(tmp_path)
    (cached,) = (tmp_path / "cache").rglob("own-1.0-py3-none-any.whl")
    cached.unlink()  # a hard link of the one that was placed
    write_wheel(cached, "wrong")
    with pytest.raises(
        ImageError, match=r"wheel own-1\.0-py3-none-any\.whl is not the locked one.*--no-cache"
    ) as caught:
        fill(tmp_path)
    assert caught.value.exit_code == 7
    fill(tmp_path, refresh=True)


def test_a_tampered_wheel_of_a_build_tree_is_named(index, tmp_path):
    (tmp_path / "lines.txt").write_text(fill(tmp_path))
    wheelhouse.require_unchanged(tmp_path / "wheels", tmp_path / "lines.txt")
    (tmp_path / "wheels/own-1.0-py3-none-any.whl").unlink()
    write_wheel(tmp_path / "wheels/own-1.0-py3-none-any.whl", "wrong")
    with pytest.raises(ImageError, match=r"wheel own-1\.0-py3-none-any\.whl is not the locked one"):
        wheelhouse.require_unchanged(tmp_path / "wheels", tmp_path / "lines.txt")
