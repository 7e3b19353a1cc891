"""Model repositories: built here, and what others would have built around the same graph."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

from utils import ROOT
from utils.repository.check import parse_config

BATCHING = re.compile(r"^dynamic_batching \{([^{}]|\{[^{}]*\})*\}", re.MULTILINE)
ROOM = 64  # texts in a batch
# The served name in `documented`.
DOCUMENTED = "documented"
TOKENIZER = '''"""As tutorials write it."""
import sys
from pathlib import Path

sys.path.append({packages!r})  # where transformers is installed; tutorials install it into the image

import numpy as np
import triton_python_backend_utils as pb_utils
from transformers import AutoTokenizer


class TritonPythonModel:
    def initialize(self, args):
        self.tokenizer = AutoTokenizer.from_pretrained(Path(args["model_repository"]) / args["model_version"])

    def execute(self, requests):
        responses = []
        for request in requests:
            rows = pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy().reshape(-1)
            tokens = self.tokenizer([row.decode() for row in rows], padding=True, truncation=True, return_tensors="np")
            tensors = [pb_utils.Tensor(name, array.astype(np.int64)) for name, array in tokens.items()]
            responses.append(pb_utils.InferenceResponse(output_tensors=tensors))
        return responses
'''


def build(model: Path, name: str, *options: str) -> Path:
    """The build tree of `model` made with `options`, with room for 64 texts in a batch."""
    command = [str(ROOT / "make_triton_image.sh"), str(model), str(model), "-", name, "latest", str(ROOM), "--no-image"]
    done = subprocess.run([*command, *options], check=True, text=True, stdout=subprocess.PIPE)
    return Path(done.stdout.strip()).parent


def unbatched(repository: Path, destination: Path) -> Path:
    """The same repository without dynamic batching."""
    shutil.copytree(repository, destination, copy_function=os.symlink)
    for config in destination.glob("*/config.pbtxt"):
        text = BATCHING.sub("", config.read_text(encoding="utf-8"))
        config.unlink()
        config.write_text(text, encoding="utf-8")
    return destination


def documented(model: Path, ensemble: Path, destination: Path) -> Path:
    """An ensemble of three models as tutorials have it, around the same graph; served as DOCUMENTED.

    AutoTokenizer for each request, padding to the longest of its texts, nothing batched across requests.
    """
    unbatched(ensemble, destination)
    served = next(path for path in destination.iterdir() if parse_config(path / "config.pbtxt").platform == "ensemble")
    served = served.rename(destination / DOCUMENTED)
    config = served / "config.pbtxt"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"^name: .*", f'name: "{DOCUMENTED}"', text, flags=re.MULTILINE), encoding="utf-8")
    step = destination / "text_preprocessing/1"
    shutil.rmtree(step)
    step.mkdir()
    code = TOKENIZER.replace("{packages!r}", repr(sysconfig.get_path("purelib")))
    (step / "model.py").write_text(code, encoding="utf-8")
    for file in {*model.glob("*token*"), *model.glob("vocab.*"), model / "config.json"}:
        shutil.copy(file, step)
    return destination
