"""`pip install ./clients/python` in a fresh environment, with what it needs from the package index."""

import os
import re
import subprocess
import sys

import pytest

from tests.clients.faulty import faulty
from utils import ROOT

PACKAGE = ROOT / "clients/python"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The `bin` folder of the environment."""
    folder = tmp_path_factory.mktemp("client")
    subprocess.run([sys._base_executable, "-I", "-m", "venv", str(folder)], check=True)
    command = [str(folder / "bin/python"), "-I", "-m", "pip", "install", "--quiet", str(PACKAGE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def run(*command, **more):
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(list(map(str, command)), env=outside, capture_output=True, text=True, timeout=120, **more)


def test_it_has_few_packages(installed):
    done = run(installed / "python", "-m", "pip", "list", "--format", "freeze")
    names = {line.partition("==")[0] for line in done.stdout.splitlines()} - {"pip", "setuptools"}
    of_httpx = {"httpx", "httpcore", "h11", "anyio", "sniffio", "idna", "certifi", "typing_extensions"}
    assert {"triton-image-client", "numpy", "tqdm"} <= names <= {"triton-image-client", "numpy", "tqdm", *of_httpx}


def test_it_asks_a_server(installed, tmp_path):
    with faulty() as server:
        code = (
            f"from triton_image_client import Classifier as C; print(C({server.url!r}, model='lengths')('four').label)"
        )
        done = run(installed / "python", "-c", code, server.url, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
        (tmp_path / "in.csv").write_text("text\nfour\n")
        done = run(installed / "score", "--server", server.url, "--model", "lengths", "in.csv", "out.csv", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.csv").read_text() == "text,label,score\nfour,4,0.5\n"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["--server", "grpc://127.0.0.1:1", "in.csv"], "grpc"),
        (["--server", "http://127.0.0.1:1", "in.parquet"], "parquet"),
    ],
)
def test_what_needs_an_extra_names_it(installed, tmp_path, arguments, extra):
    (tmp_path / "in.csv").write_text("text\nfour\n")
    done = run(installed / "score", *arguments, "out.csv", "--deadline", "1", cwd=tmp_path)
    assert f"[{extra}]" in done.stderr and "Traceback" not in done.stderr
    assert done.returncode in (2, 4)


def test_the_types_are_those_of_the_package(installed, tmp_path):
    """py.typed is in the wheel: mypy sees the dataclasses of an installed package."""
    (tmp_path / "use.py").write_text(
        "from triton_image_client import Classifier\n"
        "reveal_type(Classifier('http://host')('text').label)\n"
        "reveal_type(Classifier('http://host')(['text'])[0].scores)\n"
        "Classifier('http://host', in_flite=1)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed / "python", "use.py"]
    done = run(*command, "--cache-dir", tmp_path / "cache", cwd=tmp_path)
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert [re.sub(r"builtins\.", "", each) for each in revealed] == ["str", "tuple[float, ...]"], done.stdout
    assert "in_flite" in done.stdout


def test_its_version_is_that_of_the_project():
    versions = [
        re.search(r'(?m)^version = "(.+)"$', (folder / "pyproject.toml").read_text())[1] for folder in (ROOT, PACKAGE)
    ]
    assert versions[0] == versions[1]
