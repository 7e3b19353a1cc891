"""Conversions by the exporter `dynamo`: the whole conversion runs in a process that has transformers 5.

So the reference model, the comparisons and the golden answers are those of transformers 5. The packages of this
process are found there behind those of the environment; only tokenizer.json is compared once more, by the version of
tokenizers that the image has.
"""

import importlib.util
import pickle
import subprocess
from pathlib import Path
from typing import Any, cast

from utils.convert import tokenization
from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.types import Conversion
from utils.host import children, environment
from utils.host.environments import SENTENCES6, TRANSFORMERS5
from utils.host.errors import ExportError, FactoryError, UsageError
from utils.host.progress import note
from utils.repository.pipeline import Graph
from utils.sources.model_config import ModelConfig
from utils.targets.formats import GraphForm

# It knows the tasks, which this package does not.
CHILD = "utils.tasks.conversion_child"


def convert(model_folder: Path, tokenizer_folder: Path, destination: Path, spec: ConversionSpec) -> Conversion:
    """See conversion.py."""
    folders = (model_folder.absolute(), tokenizer_folder.absolute(), destination.absolute())
    rest = {name: value for name, value in vars(spec).items() if name != "task"}  # functions cannot be sent
    conversion, batches = _ask("convert", spec.task, (*folders, rest), library=bool(spec.task.library))
    names = tuple(tensor.name for tensor in conversion.graph.inputs)
    tokenization.compare_batches(
        conversion.tokenizer, batches, names, "transformers 5", lambda batch, *_: repr(batch[0][0][:60])
    )
    note(f"tokenizer.json: {len(batches)} batches, all ids equal with the image's version of tokenizers")
    return cast(Conversion, conversion)


def predict(config: ModelConfig, task: ModelTask, form: GraphForm) -> Graph:
    """See conversion.py."""
    return cast(Graph, _ask("predict", task, (config, form)))


def _ask(action: str, task: ModelTask, values: tuple[Any, ...], *, library: bool = False) -> Any:
    """The result of an action of the child, or the FactoryError that it raised. Its progress appears on stderr.

    `library`: it also needs sentence-transformers.
    """
    try:
        python = environment.ensure(SENTENCES6 if library else TRANSFORMERS5)
    except UsageError as error:
        raise ExportError(f"the environment of the exporter dynamo cannot be made: {error}") from error
    torch = importlib.util.find_spec("torch")
    assert torch and torch.origin
    done = subprocess.run(
        children.of_module(python, CHILD, str(Path(torch.origin).parent.parent)),
        input=pickle.dumps((action, task.name, values)),
        stdout=subprocess.PIPE,
        check=False,
    )
    try:
        result = pickle.loads(done.stdout)  # written by this project's own child
    except (pickle.UnpicklingError, EOFError) as error:
        raise ExportError(
            f"the process of the exporter dynamo ended with status {done.returncode} and without a result; if the "
            "machine is short of memory or disk, free some and run the same command again"
        ) from error
    if isinstance(result, FactoryError):
        raise result
    return result
