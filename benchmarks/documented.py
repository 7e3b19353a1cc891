"""A contestant: the ensemble of three models as tutorials have it, around the same graph.

AutoTokenizer for each request, padding to the longest of its texts, nothing batched across requests.
"""

import shutil
import sysconfig
from pathlib import Path

from utils.check_repository import parse_config

NAME = "documented"
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


def write(model: Path, ensemble: Path, destination: Path) -> Path:
    """A model repository like the ensemble built here, but with the tutorials' tokenizer step and no batching."""
    shutil.rmtree(destination, ignore_errors=True)
    shutil.copytree(ensemble, destination)
    served = next(path for path in destination.iterdir() if parse_config(path / "config.pbtxt").platform == "ensemble")
    served.rename(destination / NAME)
    for config in destination.glob("*/config.pbtxt"):
        text = config.read_text(encoding="utf-8").replace("dynamic_batching { }", "")
        config.write_text(text.replace(f'"{served.name}"', f'"{NAME}"'), encoding="utf-8")
    step = destination / "text_preprocessing/1"
    shutil.rmtree(step)
    step.mkdir()
    code = TOKENIZER.replace("{packages!r}", repr(sysconfig.get_path("purelib")))
    (step / "model.py").write_text(code, encoding="utf-8")
    for file in model.glob("*token*"):
        shutil.copy(file, step)
    for name in ("vocab.txt", "config.json"):
        if (model / name).is_file():
            shutil.copy(model / name, step)
    return destination
