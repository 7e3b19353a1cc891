"""The report of real builds of four tasks, in a real browser: as a computer and a phone show it, light and dark."""

import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from huggingface_hub import ModelCard

from tests.browser import DESKTOP, PHONE
from tests.server.page_models import MODELS
from tests.server.task_requests import build
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.report.page import page
from utils.report.report import read_report
from utils.report.sections import SECTIONS
from utils.repository.corpus import GOLDEN_TEXTS

TASKS = {
    "text-classification": ("./topics", "id2label.json", "--top-k", "4"),
    "token-classification": ("./entities", ""),
    "question-answering": ("./reader", ""),
    "ocr": ("./ocr", "alphabet.json"),
}
# What the pictures of the docs show of each page.
SHOWN = {"text-classification": "", "token-classification": "proof", "question-answering": "size", "ocr": "proof"}


def make(task, folder):
    """The finished build of a task, as (its process, its tree)."""
    model, labels, *options = TASKS[task]
    folder = folder / model
    name = f"report-{model[2:]}"
    labels = folder / labels if labels else "-"
    if task == "ocr":
        sources = [folder / "detection.onnx", "-", labels, name, "v1", 1]
        options += ["--add-model", f"text_recognition={folder / 'recognition.onnx'}"]
    else:
        sources = [folder, folder, labels, name, "v1", 8]
    whole = task == "text-classification"  # it has all sections
    options += ["--eval-file", folder / "validation.tsv"] if whole else []
    done = build(*sources, "--task", task, *options, "--json", measured=whole)
    assert done.returncode == 0, done.stderr
    return done, BUILD / name / "v1"


def write_validation(model):
    """Texts with the model's own label as the right one, but for every seventh."""
    from transformers import pipeline

    texts = [
        f"{' '.join(text.split() * (1 + 3 * number))} {number}" for text in GOLDEN_TEXTS[:12] for number in range(8)
    ]
    own = [each["label"] for each in pipeline("text-classification", model=str(model))(texts, truncation=True)]
    labels = list(json.loads((model / "id2label.json").read_text(encoding="utf-8")).values())
    right = [label if place % 7 else labels[place % len(labels)] for place, label in enumerate(own)]
    lines = (f"{text}\t{label}\n" for text, label in zip(texts, right, strict=True))
    (model / "validation.tsv").write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """{task: (process, tree)}."""
    folder = tmp_path_factory.mktemp("report")
    for model, *_ in TASKS.values():
        MODELS[model](folder / model)  # transformers cannot be imported by two threads
    write_validation(folder / TASKS["text-classification"][0])
    try:
        with ThreadPoolExecutor(2) as pool:
            yield dict(zip(TASKS, pool.map(lambda task: make(task, folder), TASKS), strict=True))
    finally:
        for model, *_ in TASKS.values():
            shutil.rmtree(BUILD / f"report-{model[2:]}", ignore_errors=True)


@pytest.mark.long("desktop-*", "phone-text-classification")
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_has_no_fault(task, size, builds, visitor):
    """No error, no request beside the file itself, no scroll to the side, no finding of axe-core."""
    address = (builds[task][1] / "report.html").as_uri()
    for dark in (False, True):
        visit = visitor.open(address, size=size, dark=dark)
        if size == DESKTOP and not dark:
            visit.page.evaluate(f"document.getElementById('{SHOWN[task]}')?.scrollIntoView()")
            visit.screenshot(f"docs/report_{task}.png", full=False)
            if task == "text-classification":
                visit.page.evaluate("document.getElementById('evaluation').scrollIntoView()")
                visit.screenshot("docs/report_evaluation.png", full=False)
        if size == PHONE and dark and task == "text-classification":
            visit.screenshot("docs/report_phone.png", full=False)
        visit.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        visit.check_width()
        visit.check_accessibility()
        assert visit.requests == [address]


def test_colours_follow_the_scheme(builds, visitor):
    address = (builds["text-classification"][1] / "report.html").as_uri()
    colours = []
    for dark in (False, True):
        visited = visitor.open(address, dark=dark).page
        point = visited.locator("figure svg use").first
        colours.append((_style(visited.locator("body"), "color"), _style(point, "fill")))
    assert colours[0][0] != colours[1][0] and colours[0][1] != colours[1][1]


def _style(element, name):
    return element.evaluate(f"element => getComputedStyle(element).{name}")


@pytest.mark.parametrize("task", TASKS)
def test_the_file_has_the_proof_and_the_page_is_made_from_it_alone(task, builds):
    done, tree = builds[task]
    report = read_report(tree / "report.json")
    assert page(report) == (tree / "report.html").read_bytes().decode()  # with the line ends of the texts
    proof = report.sections["proof"]
    golden = json.loads((tree / "golden.json").read_text(encoding="utf-8"))
    recorded = json.loads((tree / "build.json").read_text(encoding="utf-8"))["proof"]["requests"]
    assert len(proof.requests) == len(golden["rows"]) == recorded
    assert proof.largest <= proof.tolerance and all(each.served for each in proof.requests)
    assert json.loads(done.stdout)["report"] == str(tree / "report.html")
    assert str(tree / "report.html") in done.stderr


def test_one_build_has_every_section(builds):
    report = read_report(builds["text-classification"][1] / "report.json")
    assert {each.name for each in SECTIONS} - set(report.sections) <= {"warnings"}
    conversion, speed, size = (report.sections[name] for name in ("conversion", "speed", "size"))
    assert conversion.tokenizer_texts > 50 and conversion.rows > 50 and conversion.same_choice == 1
    assert [each.clients for each in speed.latencies] == [1, 8] and 0 < speed.ready_seconds < 60
    groups = {group.name for group in size.weights[0].groups}
    assert {"bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1", "classifier"} <= groups


def test_without_the_measurement_only_the_start_is_known(builds):
    speed = read_report(builds["question-answering"][1] / "report.json").sections["speed"]
    assert speed.latencies == () and speed.ready_seconds > 0


@pytest.mark.parametrize("task", TASKS)
def test_nothing_names_a_folder_of_the_builder(task, builds, tmp_path_factory):
    tree = builds[task][1]
    for name in ("report.json", "report.html", "README.md"):
        text = (tree / name).read_text(encoding="utf-8")
        assert str(ROOT) not in text and str(tmp_path_factory.getbasetemp()) not in text


@pytest.mark.parametrize("task", TASKS)
def test_the_model_card_is_one_of_the_hub(task, builds):
    tree = builds[task][1]
    card = ModelCard((tree / "README.md").read_text(encoding="utf-8"))
    expected = {"ocr": "image-to-text"}.get(task, task)
    assert (card.data.pipeline_tag, card.data.library_name) == (expected, "triton")
    assert f"./serve.sh {tree.relative_to(BUILD.parent)}/model_repository" in card.text


def test_the_image_has_no_file_of_the_report(builds):
    """The Docker context leaves everything out but what .dockerignore names."""
    tree = builds["text-classification"][1]
    allowed = [line[1:] for line in (tree / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not {"report.json", "report.html", "README.md", "served.json", "measured.json"} & set(allowed)
    assert not list(tree.glob("model_repository/**/report.*"))


def test_the_command_of_the_docs(builds):
    """With this build's place instead of that of the page."""
    text = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```\n(.+?)\n```", text, re.DOTALL)
    tree = builds["text-classification"][1]
    command = command.replace("build/topics/v1", str(tree.relative_to(ROOT)))
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) == read_report(tree / "report.json").sections["size"].repository


def test_every_section_is_in_the_docs():
    text = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (.+?) \| `(\w+)` \|", text)
    assert rows == [(each.title, each.name) for each in SECTIONS]
