"""Every command of docs/tasks.md, as it stands there, in a folder with small models at the paths it names.

On the same servers, the try-it page of each task in a browser.
"""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import shared_conversions, warm_builds
from tests.browser import PHONE
from tests.selection import mostly_long
from tests.server import try_pages
from tests.server.page_models import MODELS
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.tasks import TASKS

PAGE = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ADDRESS = "127.0.0.1:8000"


@dataclass(frozen=True, kw_only=True)
class Built:
    """A section's model, served at the HTTP address `http`. `place`: the folder where the user stands."""

    section: str
    place: Path
    model: str
    http: str
    asks: list


def blocks(section, language):
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)


def test_each_task_has_its_section():
    assert set(SECTIONS) == set(TASKS)


@pytest.fixture(
    scope="module",
    params=mostly_long(
        SECTIONS,
        "text-classification",
        "feature-extraction",
        "ocr",
    ),
)
def built(request, tmp_path_factory, serve_repository):
    """The section's build command, run where the scripts and the models are that the page names, without a latency."""
    place = tmp_path_factory.mktemp("user")
    for script in ("make_triton_image.sh", "examples", "utils", ".venv"):
        (place / script).symlink_to(ROOT / script)
    build, *asks = blocks(request.param, "bash")
    for path, make in MODELS.items():
        if path in build:
            make(place / path)
    words = shlex.split(build.replace("\\\n", " "), comments=True)
    name, tag = words[4:6]
    try:
        done = warm_builds.build([*words[1:], "--no-measure"], shared_conversions.environment(), place)
        assert (words[0], done.returncode) == ("./make_triton_image.sh", 0), done.stderr
        repository = BUILD / name / tag / "model_repository"
        assert done.stdout.split()[-1] == str(repository)
        server = serve_repository(repository, page=True)
        yield Built(section=request.param, place=place, model=name, http=server.address.http, asks=asks)
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)


def test_the_section_is_right(built):
    answers = [run(ask.replace(ADDRESS, built.http), built.place).stdout for ask in built.asks]
    printed = blocks(built.section, "text")
    documented = blocks(built.section, "json") or printed
    assert len(documented) == len(built.asks) > 0
    for shown, answer in zip(documented, answers, strict=True):
        if printed:
            assert form_of_lines(answer) == form_of_lines(shown)
        else:
            assert form(json.loads(answer)) == form(json.loads(shown))


def test_the_page_shows_what_the_server_answers(built, visitor):
    """The answer, and the same one by each of the page's commands; a serious fault of accessibility at either width."""
    visit = visitor.open(f"http://{built.http}/")
    shown = try_pages.PAGES[built.section](visit.page, built)
    visit.check_accessibility()
    assert shown
    assert try_pages.by_commands(visit.page, built.place) == shown
    visit.page.set_viewport_size(PHONE)
    visit.check_accessibility()
    visit.check_width()
    own = f"http://{built.http}/"
    assert [url for url in visit.requests if not url.startswith((own, f"blob:{own}"))] == []
    if name := try_pages.SCREENSHOTS.get(built.section):
        visit.page.get_by_role("tab", name="curl").click()
        visit.page.set_viewport_size({"width": 1000, "height": 700})
        visit.screenshot(name)


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
