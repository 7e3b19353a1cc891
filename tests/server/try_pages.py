"""The try-it page of each task, used as a person does, and compared with the server's answer to the same request.

PAGES: {task: use(page, built)} returns the outputs that the server gave, after checking what the page shows of them.
"""

import ast
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from playwright.sync_api import Page

# A character beyond U+FFFF: positions are counted in characters, not in UTF-16 units as in JavaScript.
TEXT = "😀 My name is Wolfgang and I live in Berlin."
SCREENSHOTS = {
    "feature-extraction": "docs/try_feature_extraction.png",
    "ocr": "docs/try_ocr.png",
    "token-classification": "docs/try_token_classification.png",
}


# The output tensors of each request, as in the server's JSON.
Outputs = list[dict[str, Any]]


class Built(Protocol):
    """A served build: its folder, its model and the address of its HTTP port."""

    place: Path
    model: str
    http: str


def send(page: Page) -> str:
    """Sends the form; the sentence of the answer."""
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("#form button.main:not([aria-disabled])").wait_for()
    assert "ms" in page.locator("#latency").inner_text()
    return page.locator("#status").inner_text()


def ask(built: Built, parameters: dict[str, Any] | None = None, **texts: str | list[str]) -> Outputs:
    """The outputs by name, of one row. `texts`: {input: text, or list of texts}."""
    values = {name: value if isinstance(value, list) else [value] for name, value in texts.items()}
    inputs = [
        {"name": name, "shape": [1, len(each)], "datatype": "BYTES", "data": each} for name, each in values.items()
    ]
    return infer(built, {"inputs": inputs, **({"parameters": parameters} if parameters else {})})


def infer(built: Built, body: dict[str, Any]) -> Outputs:
    url = f"http://{built.http}/v2/models/{built.model}/infer"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=60) as response:
        return list(json.load(response)["outputs"])


def data(outputs: Outputs) -> list[Any]:
    return [each["data"] for each in outputs]


def percent(score: float) -> str:
    return f"{score:.1%}"


def bars(page: Page) -> list[tuple[str, str]]:
    """(label, number) of each bar."""
    rows = page.locator("#answer .bars li")
    return [(row.locator(".label").inner_text(), row.locator(".number").inner_text()) for row in rows.all()]


def marked(page: Page) -> list[str]:
    """The marked parts of the text, without their labels."""
    return list(page.locator("#answer mark").evaluate_all("marks => marks.map((mark) => mark.firstChild.data)"))


def labels(page: Page, built: Built) -> list[Outputs]:
    page.get_by_label("Text", exact=True).fill(TEXT)
    return ranked(page, ask(built, text_input=TEXT))


def pair(page: Page, built: Built) -> list[Outputs]:
    page.get_by_label("Text", exact=True).fill(TEXT)
    page.get_by_label("Second text", exact=True).fill("He lives there.")
    return ranked(page, ask(built, text_input=TEXT, text_pair="He lives there."))


def candidate_labels(page: Page, built: Built) -> list[Outputs]:
    page.get_by_label("Text", exact=True).fill(TEXT)
    page.get_by_label("Labels", exact=True).fill("sport\n\n weather \ncooking")
    return ranked(page, ask(built, text_input=TEXT, candidate_labels=["sport", "weather", "cooking"]))


def ranked(page: Page, outputs: Outputs) -> list[Outputs]:
    names, scores = data(outputs)
    assert send(page) == f"{names[0]}, {percent(scores[0])}"
    assert bars(page) == [(name, percent(score)) for name, score in zip(names, scores, strict=True)]
    return [outputs]


def entities(page: Page, built: Built) -> list[Outputs]:
    page.get_by_label("Text", exact=True).fill(TEXT)
    outputs = ask(built, text_input=TEXT)
    found = json.loads(outputs[0]["data"][0])
    assert send(page) == (f"{len(found)} entities" if len(found) != 1 else "1 entity")
    assert marked(page) == [TEXT[each["start"] : each["end"]] for each in found] != []
    return [outputs]


def answer(page: Page, built: Built) -> list[Outputs]:
    page.get_by_label("Question", exact=True).fill("Where do I live?")
    page.get_by_label("Context", exact=True).fill(TEXT)
    outputs = ask(built, question="Where do I live?", context=TEXT)
    (found,), (score,), (start,), (end,) = data(outputs)
    assert send(page) == f"{found}, {percent(score)}"
    assert marked(page) == [TEXT[start:end]] == [found]
    return [outputs]


def score(page: Page, built: Built) -> list[Outputs]:
    page.get_by_label("Query", exact=True).fill("Where?")
    page.get_by_label("Text", exact=True).fill(TEXT)
    outputs = ask(built, text_input="Where?", text_pair=TEXT)
    assert send(page).startswith("Score: ")
    assert bars(page) == [("score", percent(outputs[0]["data"][0]))]
    return [outputs]


def similarity(page: Page, built: Built) -> list[Outputs]:
    """The second text has another prompt than the first, so it is a request of its own."""
    page.get_by_label("Text", exact=True).fill("When does the rain stop?")
    page.get_by_label("Text to compare with (optional)", exact=True).fill("It will be dry in the afternoon.")
    page.get_by_label("Prompt, first text", exact=True).select_option("query")
    page.get_by_label("Numbers of an embedding", exact=True).select_option("2")
    found = [
        ask(built, {"prompt_name": "query", "dimensions": 2}, text_input="When does the rain stop?"),
        ask(built, {"dimensions": 2}, text_input="It will be dry in the afternoon."),
    ]
    one, other = (np.array(each[0]["data"]) for each in found)
    value = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert send(page) == f"Similarity (cosine): {value:.3f}"
    return found


def tokens(page: Page, built: Built) -> list[Outputs]:
    from tokenizers import Tokenizer

    page.get_by_label("Text", exact=True).fill(TEXT)
    outputs = ask(built, text_input=TEXT)
    indices, weights = data(outputs)
    best = indices[int(np.argmax(weights))]
    assert send(page) == f"{len(indices)} tokens with a weight"
    assert bars(page)[0][0] == Tokenizer.from_file(str(built.place / "splade/tokenizer.json")).id_to_token(best)
    return [outputs]


def raw(page: Page, built: Built) -> list[Outputs]:
    """The request is a golden one of the build; a fault in it is reported."""
    editor = page.get_by_label("Request as JSON", exact=True)
    body = editor.input_value()
    editor.fill("{")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("#status.error", has_text="The request is not JSON").wait_for()
    editor.fill(body)
    outputs = infer(built, json.loads(body))
    assert send(page) == "1 output tensor"
    numbers = page.get_by_label(f"Data of {outputs[0]['name']}").inner_text()
    assert np.allclose(json.loads(f"[{numbers}]"), outputs[0]["data"])
    return [outputs]


def picture(page: Page, built: Built) -> list[Outputs]:
    page.get_by_role("button", name="Use a sample picture").click()
    page.get_by_label("Picture", exact=True).set_input_files(built.place / "ocr/samples/sample01.jpg")
    (built.place / "sample01.jpg").write_bytes((built.place / "ocr/samples/sample01.jpg").read_bytes())
    page.locator("#code", has_text="sample01.jpg").wait_for()
    with page.expect_response("**/infer") as response:
        sentence = send(page)
    outputs = response.value.json()["outputs"]
    words = next(each["data"] for each in outputs if each["name"] == "words")
    assert sentence == f"{len(words)} words"
    assert page.locator("#answer td:first-child").all_inner_texts() == words
    page.locator("#answer polygon").first.wait_for()
    assert page.locator("#answer polygon title").all_text_contents() == words
    return [outputs]


PAGES: dict[str, Callable[[Page, Built], list[Outputs]]] = {
    "text-classification": labels,
    "text-pair-classification": pair,
    "zero-shot-classification": candidate_labels,
    "token-classification": entities,
    "question-answering": answer,
    "text-ranking": score,
    "feature-extraction": similarity,
    "sparse-embedding": tokens,
    "logits": raw,
    "onnx": raw,
    "ocr": picture,
}


def by_commands(page: Page, folder: Path) -> list[Outputs]:
    """The outputs that the page's commands print in `folder`, which are the same in each language."""
    found: list[list[Outputs]] = []
    for language in ("curl", "Python", "JavaScript"):
        page.get_by_role("tab", name=language).click()
        found.append(COMMANDS[language](page, str(page.locator("#code").text_content()), folder))
    curl, python, javascript = found
    assert curl == python == javascript
    return curl


def of_curl(_: Page, code: str, folder: Path) -> list[Outputs]:
    text, decoder, found = run(["sh", "-ec", code], folder).strip(), json.JSONDecoder(), list[Outputs]()
    while text:
        answer, end = decoder.raw_decode(text)
        found, text = [*found, answer["outputs"]], text[end:].strip()
    return found


def of_python(_: Page, code: str, folder: Path) -> list[Outputs]:
    return [ast.literal_eval(line) for line in run([sys.executable, "-I", "-c", code], folder).splitlines()]


def of_javascript(page: Page, code: str, _: Path) -> list[Outputs]:
    """In the page itself: code of a module, with a console of its own."""
    answers: list[Outputs] = page.evaluate(
        f"(async () => {{ const lines = [], console = {{ log: (x) => lines.push(x) }};\n{code}\nreturn lines; }})()"
    )
    return answers


def run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


COMMANDS = {"curl": of_curl, "Python": of_python, "JavaScript": of_javascript}
