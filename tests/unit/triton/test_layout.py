"""utils.triton.layout on a package made here."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from utils.host.errors import UsageError
from utils.triton import layout
from utils.triton.layout import Interpreter, keep_bytecode_apart, lay_out

STUB = "backends/python/triton_python_backend_stub"


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    """A site-packages with an nvidia-pytriton of stubs for 3.9 and 3.11, in an environment of Python 3.11."""
    folder = tmp_path / "site-packages"
    for name in (
        "pytriton/tritonserver/bin/tritonserver",
        "pytriton/tritonserver/backends/python/libtriton_python.so",
        "pytriton/tritonserver/caches/local/libtritoncache_local.so",
        "pytriton/tritonserver/python_backend_stubs/3.9/triton_python_backend_stub",
        "pytriton/tritonserver/python_backend_stubs/3.11/triton_python_backend_stub",
        "nvidia_pytriton.libs/libtritonserver.so",
        "nvidia_pytriton-0.7.0.dist-info/RECORD",
    ):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    monkeypatch.setattr(layout, "inspect_interpreter", lambda python: interpreter(python, folder))
    return folder


def interpreter(python, folder, version="3.11"):
    return Interpreter(python=python, site_packages=folder, version=version, library_folders=())


def test_the_layout_equals_ngc(site_packages, tmp_path):
    triton = tmp_path / "opt/tritonserver"
    lay_out(Path("python"), triton)
    for name in (
        "backends/python/libtriton_python.so",
        "lib/libtritonserver.so",
        "caches/local/libtritoncache_local.so",
    ):
        assert (triton / name).is_file()
    assert (triton / STUB).read_text().startswith("pytriton/tritonserver/python_backend_stubs/3.11/")
    assert (triton / "backends/onnxruntime/model.py").is_file()
    assert all((triton / name).stat().st_mode & 0o777 == 0o755 for name in (STUB, "bin/tritonserver"))


def test_only_a_new_package_replaces_the_layout(site_packages, tmp_path):
    triton = tmp_path / "tritonserver"
    lay_out(Path("python"), triton)
    first = triton.stat().st_ino
    lay_out(Path("python"), triton)
    assert triton.stat().st_ino == first
    (site_packages / "nvidia_pytriton-0.7.0.dist-info/RECORD").write_text("another")
    lay_out(Path("python"), triton)
    assert triton.stat().st_ino != first
    assert {path.name for path in tmp_path.iterdir()} == {"site-packages", "tritonserver", ".tritonserver.lock"}


def test_a_partial_layout_is_created_again(site_packages, tmp_path):
    triton = tmp_path / "tritonserver"
    for leftover in (triton, tmp_path / ".tritonserver.partial", tmp_path / ".tritonserver.former"):
        (leftover / "bin").mkdir(parents=True)
    lay_out(Path("python"), triton)
    assert (triton / STUB).is_file()


def test_parallel_callers_create_it_once(site_packages, tmp_path, monkeypatch):
    made = []
    fill = layout._fill
    monkeypatch.setattr(layout, "_fill", lambda *arguments: made.append(1) or fill(*arguments))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: lay_out(Path("python"), tmp_path / "tritonserver"), range(8)))
    assert made == [1]


def test_a_python_without_a_stub_is_refused_with_the_known_ones(site_packages, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "inspect_interpreter", lambda python: interpreter(python, site_packages, "3.14"))
    with pytest.raises(UsageError, match=r"Python 3\.14, only for 3\.9, 3\.11"):
        lay_out(Path("python"), tmp_path / "tritonserver")
    assert not (tmp_path / "tritonserver").exists()


def test_an_environment_without_the_package_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "inspect_interpreter", lambda python: interpreter(python, tmp_path))
    with pytest.raises(UsageError, match="nvidia-pytriton is not installed for /venv/bin/python"):
        lay_out(Path("/venv/bin/python"), tmp_path / "tritonserver")


def test_the_facts_come_from_the_interpreter():
    facts = layout.inspect_interpreter(Path(sys.executable))
    assert facts.version == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert facts.site_packages.is_dir()


def test_a_missing_libpython_names_its_package(tmp_path):
    facts = Interpreter(
        python=Path(sys.executable), site_packages=tmp_path, version="3.99", library_folders=(tmp_path,)
    )
    with pytest.raises(UsageError, match=r"libpython3\.99\.so\.1\.0.*apt-get install libpython3\.99"):
        facts.library_path()


def test_bytecode_goes_to_its_own_folder(tmp_path):
    facts = interpreter(Path("python"), tmp_path)
    for _ in range(2):
        keep_bytecode_apart(facts, tmp_path / "папка pycache")
    (setting,) = tmp_path.glob("*.pth")
    before = sys.pycache_prefix
    try:
        exec(setting.read_text())
        assert sys.pycache_prefix == str(tmp_path / "папка pycache")
    finally:
        sys.pycache_prefix = before
