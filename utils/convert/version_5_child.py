"""The child of writer_process.py, run by a Python with transformers 5: a request on stdin, an answer on stdout."""

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.host.streams import take_stdout

if TYPE_CHECKING:
    Arrays = Mapping[str, Any]


def main() -> None:
    """Answers with {"version": str}, {"refused": one sentence for the user} or {"error": what a library raised}.

    `arrays` names the file of the arrays that come with the request; the action's own take their place.
    """
    answer = take_stdout()  # libraries print to stdout, too
    content = json.load(sys.stdin)
    # torch is the factory's; what this environment has by itself is found first.
    sys.path.extend(content["packages"])
    answer.write(json.dumps(_result(content)).encode())
    answer.close()


def _result(content: dict[str, Any]) -> dict[str, str]:
    import numpy as np

    from utils.host import exceptions
    from utils.host.errors import FactoryError

    try:
        with exceptions.panics_raised(), np.load(content["arrays"]) as arrays:
            version, answers = ACTIONS[content["action"]](content["request"], dict(arrays))
        np.savez(Path(content["arrays"]), **answers)
        return {"version": version}
    except FactoryError as error:
        return {"refused": str(error)}
    except Exception as error:  # transformers raises whatever its parsers raise
        return {"error": exceptions.brief(error, named=True)}


def outputs(request: dict[str, Any], _: "Arrays") -> "tuple[str, Arrays]":
    """The version of transformers; the ids of each of `token_texts` and the outputs `names` for each of `texts`.

    The arrays are called ids-N and NAME-N (FP32, without batch dimension), N the place of the text.
    """
    import transformers

    from utils.convert.reference_model import pytorch_outputs, tokenizer_arrays
    from utils.convert.tokenization import lower_case

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    texts, token_texts = (
        [text if isinstance(text, str) else tuple(text) for text in request[name]] for name in ("texts", "token_texts")
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(request["tokenizer"], local_files_only=True)
    if request["lower_case"]:
        lower_case(tokenizer)
    limit = request["max_length"]
    arrays = {
        f"ids-{place}": tokenizer_arrays(tokenizer, [text], limit)["input_ids"][0]
        for place, text in enumerate(token_texts)
    }
    model = getattr(transformers, request["auto_class"]).from_pretrained(
        request["model"], dtype="float32", local_files_only=True
    )
    if request["complete"]:
        module, _, name = request["complete"].partition(":")
        model = getattr(importlib.import_module(module), name)(model, request["settings"], Path(request["model"]))
    rows = pytorch_outputs(model.eval(), tokenizer, texts, limit, names=tuple(request["names"]))
    for place, row in enumerate(rows):
        arrays.update({f"{name}-{place}": value for name, value in row.items()})
    return str(transformers.__version__), arrays


def sentences(request: dict[str, Any], recorded: "Arrays") -> "tuple[str, Arrays]":
    """The version of sentence-transformers, or of setfit; its answer to text N (FP32) is called answer-N.

    Where there are `recorded` outputs (NAME-N for the ids in input_ids-N), they take the place of the model's own.
    """
    import transformers

    from utils.convert.sentence_library import Call

    library = importlib.import_module("setfit" if request["kind"] == "SetFit" else "sentence_transformers")
    transformers.logging.disable_progress_bar()
    answers = Call(**request).answers(_replay(recorded) if recorded else None)
    return str(library.__version__), {f"answer-{place}": each for place, each in enumerate(answers)}


def _replay(recorded: "Arrays") -> Callable[..., Any]:
    """A model's forward that gives the recorded outputs, text after text."""
    import torch
    from transformers.utils import ModelOutput

    from utils.host.errors import ParityError

    names = sorted({name.rpartition("-")[0] for name in recorded} - {"input_ids"})
    places = iter(range(len(recorded)))

    def forward(**tensors: "torch.Tensor") -> Any:
        place = next(places)
        ids, expected = tensors["input_ids"][0].tolist(), recorded[f"input_ids-{place}"].tolist()
        if ids != expected:
            raise ParityError(f"sentence-transformers gives text {place} the token ids {ids}, the factory {expected}")
        return ModelOutput({name: torch.from_numpy(recorded[f"{name}-{place}"])[None] for name in names})

    return forward


ACTIONS = {"outputs": outputs, "sentences": sentences}

if __name__ == "__main__":
    main()
