"""The other side of writer.py, run by the Python that has transformers 5: a request on stdin, an answer on stdout."""

import json
import sys
from pathlib import Path
from typing import Any

from utils.host.streams import take_stdout


def main() -> None:
    """Answers with {"version": str} or {"error": one sentence}; the arrays go into the file of the request."""
    # Libraries print to stdout, too.
    answer = take_stdout()
    request = json.load(sys.stdin)
    # torch is the factory's; what this environment has by itself is found first.
    sys.path.append(request["packages"])
    try:
        result = {"version": run(request)}
    except Exception as error:  # transformers raises whatever its parsers raise
        result = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    answer.write(json.dumps(result).encode())
    answer.close()


def run(request: dict[str, Any]) -> str:
    """Writes the ids of each of `token_texts` and the outputs `names` for each of `texts`; returns the version.

    The arrays are called ids-N and NAME-N (FP32, without batch dimension), N the place of the text.
    """
    import numpy as np
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
    outputs = pytorch_outputs(model.eval(), tokenizer, texts, limit, names=tuple(request["names"]))
    for place, row in enumerate(outputs):
        arrays.update({f"{name}-{place}": value for name, value in row.items()})
    np.savez(Path(request["arrays"]), **arrays)
    return str(transformers.__version__)


if __name__ == "__main__":
    main()
