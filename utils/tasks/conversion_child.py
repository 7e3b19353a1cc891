"""The child of utils/convert/exporter_process.py, run by a Python with transformers 5: pickles on stdin and stdout."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from utils.host.streams import take_stdout


def main() -> None:
    """Answers with the result, or with the FactoryError that was raised."""
    answer = take_stdout()  # libraries print to stdout, too
    # What this environment has by itself is found first.
    sys.path.append(sys.argv[1])
    from utils.host.errors import ExportError, FactoryError
    from utils.host.exceptions import raised_as

    action, task, values = pickle.load(sys.stdin.buffer)
    result: Any
    try:
        with raised_as(ExportError):
            result = ACTIONS[action](task, *values)
    except FactoryError as error:
        result = error
    answer.write(pickle.dumps(result))
    answer.close()


def convert(task: str, model: Path, tokenizer: Path, destination: Path, values: dict[str, Any]) -> tuple[Any, Any]:
    """The conversion, and what the tokenizer of transformers 5 gives for the texts that are compared."""
    from utils.convert import conversion, tokenization
    from utils.convert.task import ConversionSpec

    spec = ConversionSpec(task=_task(task), **values)
    converted, reference = conversion.convert_with_reference(model, tokenizer, destination, spec)
    names = tuple(tensor.name for tensor in converted.graph.inputs)
    pairs = not isinstance(reference.texts[0], str)
    return converted, tokenization.token_batches(converted.tokenizer, reference.tokenizer, names, pairs=pairs)


def predict(task: str, config: Any, form: Any) -> Any:
    """The tensors of a conversion."""
    from utils.convert import conversion

    return conversion.predict(config, _task(task), form)


def _task(name: str) -> Any:
    from utils.tasks import TASKS

    return TASKS[name]


ACTIONS: dict[str, Callable[..., Any]] = {"convert": convert, "predict": predict}

if __name__ == "__main__":
    main()
