"""The main job with one function replaced, so that it pauses or fails inside a stage.

    paused_build.py WHERE ARGUMENT ...

The arguments are make_triton_image.sh's. WHERE is "-", "pause at STAGE" (creates the file $PAUSED, then sleeps),
"full at STAGE" (the disk is full), "no room" (the check of free space before the build fails) or "fault at STAGE" (an
unexpected exception). With the folder $CONVERSION, the first conversion is recorded there and later ones are replayed,
because a conversion takes longer than the rest of the build.
"""

import errno
import os
import pickle
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

from utils import make_triton_image
from utils.convert import conversion, exporter
from utils.convert.origins import transformers_folder
from utils.convert.task import ConversionSpec
from utils.convert.types import Conversion
from utils.docker import wheelhouse
from utils.host import build_tree, entry
from utils.proof import verify
from utils.repository import assemble

PLACES = {
    "references": (make_triton_image, "inspect_models"),
    "weights": (transformers_folder, "fetch_model"),
    "convert": (exporter, "export"),
    "render": (assemble, "check_repository"),
    "wheels": (wheelhouse, "fill"),
    "boot proof": (verify, "prove"),
    "moving into place": (build_tree, "move_into_place"),
}


def main() -> None:
    where, *arguments = sys.argv[1:]
    what, _, stage = where.partition(" at ")
    if folder := os.environ.get("CONVERSION"):
        conversion.convert = replayed(conversion.convert, Path(folder))
    if what == "no room":
        setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=12_000_000))  # noqa: B010
    elif what != "-":
        module, name = PLACES[stage]
        setattr(module, name, {"pause": pause, "full": full, "fault": fault}[what])
    entry.run(lambda: make_triton_image.make_triton_image(arguments))


def pause(*_arguments: object, **_options: object) -> None:
    Path(os.environ["PAUSED"]).touch()
    time.sleep(600)


def full(*_arguments: object, **_options: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fault(*_arguments: object, **_options: object) -> NoReturn:
    raise ZeroDivisionError("a fault\nof the test")


def replayed(convert: Callable[..., Conversion], folder: Path) -> Callable[..., Conversion]:
    def replay(model_folder: Path, tokenizer_folder: Path, destination: Path, spec: ConversionSpec) -> Conversion:
        if not (folder / "conversion").is_file():
            made = convert(model_folder, tokenizer_folder, destination, spec)
            shutil.copytree(destination, folder, dirs_exist_ok=True)
            (folder / "conversion").write_bytes(pickle.dumps(made))
            return made
        recorded: Conversion = pickle.loads((folder / "conversion").read_bytes())
        shutil.copytree(folder, destination, ignore=shutil.ignore_patterns("conversion"))
        graph, tokenizer = (
            replace(recorded.graph, path=destination / recorded.graph.path.name),
            replace(recorded.tokenizer, file=destination / recorded.tokenizer.file.name),
        )
        return replace(recorded, graph=graph, tokenizer=tokenizer)

    return replay


if __name__ == "__main__":
    main()
