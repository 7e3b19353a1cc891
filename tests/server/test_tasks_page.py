"""Every command of docs/tasks.md, as it stands there, in a folder with small models at the paths it names."""

import json
import re
import shlex
import shutil
import subprocess

import pytest

from tests import shared_conversions
from tests.server.page_models import MODELS
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.tasks import TASKS

PAGE = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ADDRESS = "127.0.0.1:8000"


def blocks(section, language):
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)


def test_each_task_has_its_section():
    assert set(SECTIONS) == set(TASKS)


@pytest.fixture
def folder(tmp_path):
    """Where the user stands: the scripts and the models that the page names."""
    for script in ("make_triton_image.sh", "examples", "utils", ".venv"):
        (tmp_path / script).symlink_to(ROOT / script)
    made = []
    yield tmp_path, made
    for name in made:
        shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_section_is_right(section, folder, serve_repository):
    place, made = folder
    build, *asks = blocks(section, "bash")
    for path, make in MODELS.items():
        if path in build:
            make(place / path)
    words = shlex.split(build.replace("\\\n", " "), comments=True)
    name, tag = words[4:6]
    made.append(name)
    built = run(build, place)
    assert built.stdout.split()[-1] == str(BUILD / name / tag / "model_repository")
    server = serve_repository(BUILD / name / tag / "model_repository")
    answers = [run(ask.replace(ADDRESS, server.address.http), place).stdout for ask in asks]
    printed = blocks(section, "text")
    documented = blocks(section, "json") or printed
    assert len(documented) == len(asks) > 0
    for shown, answer in zip(documented, answers, strict=True):
        if printed:
            assert form_of_lines(answer) == form_of_lines(shown)
        else:
            assert form(json.loads(answer)) == form(json.loads(shown))


def run(command, place):
    env, words = shared_conversions.environment(), ["bash", "-ec", command]
    done = subprocess.run(words, cwd=place, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def form(answer):
    """What an answer is like, whatever the model says: names, types, number of dimensions, and keys of JSON texts."""
    if isinstance(answer, dict) and {"name", "datatype", "shape", "data"} <= answer.keys():
        texts = answer["data"] if answer["datatype"] == "BYTES" else []
        keys = {tuple(sorted(each)) for text in texts for each in documents(text)}
        return {
            "name": answer["name"],
            "datatype": answer["datatype"],
            "dimensions": len(answer["shape"]),
            "keys": keys,
        }
    if isinstance(answer, dict):  # an ensemble's answer also says that it is of no sequence, which the page leaves out
        return {key: form(value) for key, value in answer.items() if key != "parameters"}
    if isinstance(answer, list):
        return sorted((form(each) for each in answer), key=str)
    return answer


def form_of_lines(text):
    """Of a printed answer: what its lines have in common, whatever words and numbers stand in them."""
    return {" ".join(re.sub(r"[\w.-]+", "x", line).split()) for line in text.splitlines()}


def documents(text):
    return json.loads(text) if text.startswith("[{") else []
