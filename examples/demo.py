"""Fine-tunes a sample model, builds its image (or its model repository), serves it and classifies three texts."""

import contextlib
import os
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path

from examples.topics.classify import TEXTS, classify
from utils import ROOT
from utils.host import entry
from utils.host.errors import FactoryError, ImageError
from utils.host.progress import note, stage
from utils.triton.address import ServerAddress

USAGE = """usage: demo.sh [--open] [OPTION ...]
Fine-tunes a sample model, builds it with ./make_triton_image.sh, serves it and classifies three texts.
With a Docker engine it builds an image. Without one, or with --no-image, it uses a Triton from PyPI.
--open keeps the server until Enter or Ctrl-C, and opens its try-it page in a browser.
All other options are passed to make_triton_image.sh.
example: ./demo.sh --base-image registry.example.org/tritonserver:26.08-py3
"""
NAME, TAG, MAX_BATCH_SIZE, TOPICS = "topics", "demo", "8", "4"
PAGE_OPTIONS = ("--env", "TRITON_TRY_PAGE=true")
OPEN, PAGE = "--open", "http://127.0.0.1:8000/try/"


class DemoError(FactoryError):
    """A label of the demo is wrong."""


def demo(options: Sequence[str]) -> str:
    """Returns one line for each answer; with --open, nothing, after they are written and the user has ended it."""
    if "--help" in options:
        return USAGE.rstrip()
    stays, options = OPEN in options, [option for option in options if option != OPEN]
    with tempfile.TemporaryDirectory(prefix="triton-demo-") as folder:
        with stage("fine-tune MiniLM on 80 sentences in 4 topics"):
            model = Path(folder) / "model"
            _run([sys.executable, "-m", "examples.topics.fine_tune", str(model)])
        result, is_image = _build(model, options)
    print(f"built and proven: {result}", file=sys.stderr)
    with _served(result, is_image) as address:
        answers = classify(address.http, NAME)
        for answer in answers:
            if not answer.is_right:
                raise DemoError(
                    f"the model labelled {answer.text!r} as {answer.label!r}, expected {TEXTS[answer.text]!r}; "
                    "report this"
                )
        text = "\n".join(map(str, answers))
        if stays:
            entry.write_stdout(f"{text}\n")
            _show(f"http://{address.http}/try/")
            return ""
    print(
        f"to try it in a browser: ./demo.sh {OPEN}, or ./serve.sh build/{NAME}/{TAG} --try and open {PAGE}",
        file=sys.stderr,
    )
    return text


def _show(page: str) -> None:
    """Opens the page in a browser, and returns at Enter, at the end of the input or at Ctrl-C."""
    print(f"try-it page: {page} (Enter or Ctrl-C ends the server)", file=sys.stderr, flush=True)
    if not webbrowser.open(page):
        print("no browser was found; open the address in one", file=sys.stderr, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.readline()


def _build(model: Path, options: Sequence[str]) -> tuple[str, bool]:
    """Returns the image's reference and True, or the model repository's path and False."""
    if "--no-image" not in options and _has_engine():
        try:
            return _make(model, options), True
        except ImageError as error:
            note(f"{error}: continuing without an image, with the Triton from PyPI")
    return _make(model, [*options, "--no-image"]), False


def _has_engine() -> bool:
    from utils.docker.engine import connect

    try:
        connect()
    except ImageError as error:
        note(str(error))
        return False
    return True


def _make(model: Path, options: Sequence[str]) -> str:
    command = [str(ROOT / "make_triton_image.sh"), str(model), str(model), str(model / "id2label.json")]
    top = [] if "--top-k" in options else ["--top-k", TOPICS]
    return _run([*command, NAME, TAG, MAX_BATCH_SIZE, *top, *options])


def _run(command: list[str]) -> str:
    """Returns the command's stdout. Its stderr goes to the terminal."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == ImageError.exit_code:
        raise ImageError("the image build failed; see the messages above")
    if done.returncode != 0:
        raise FactoryError(f"{Path(command[0]).name} failed with exit code {done.returncode}; see its message above")
    return done.stdout.strip()


@contextlib.contextmanager
def _served(result: str, is_image: bool) -> Iterator[ServerAddress]:
    """Serves the built model until the block ends."""
    if is_image:
        from utils.docker.engine import connect

        with connect().run(result, options=PAGE_OPTIONS) as container:
            yield container.address
    else:
        from utils.serve import find_page
        from utils.triton.server import serve

        repository = Path(result)
        with serve(repository, log=Path(os.devnull), page=find_page(repository)) as server:
            yield server.address


if __name__ == "__main__":
    entry.run(lambda: demo(sys.argv[1:]))
