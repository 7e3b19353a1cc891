"""The values that pass between the parts of a conversion."""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.evaluation.eval_file import EvalFile
from utils.evaluation.kind import Answer
from utils.proof.golden import TensorValue
from utils.repository.pipeline import Graph
from utils.targets.precisions import TOLERANCE

# The settings of a task's post-processing: {name: JSON value}.
Settings = Mapping[str, Any]
# One row of a request: {input name: text, or a list of texts}, and {name: value} for the request's parameters.
Example = Mapping[str, Any]
# The tensors of a request or an answer, by name.
Tensors = Mapping[str, TensorValue]
# One input of the tokenizer: a text or a pair.
Text = str | tuple[str, str]
# Runs a graph: arrays by tensor name -> its outputs, in order.
Session = Callable[[Mapping[str, Any]], Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Folders:
    """The folders that another library loads the model from. `max_length`: the limit set by an option, in tokens."""

    model: Path
    tokenizer: Path
    max_length: int | None


@dataclass(frozen=True, kw_only=True)
class ReferenceModel:
    """The model and its tokenizer as transformers loads them, and the model's outputs for `texts`, each alone.

    `outputs`: one {output name: FP32 array without batch dimension} for each of `texts`. `folders`: what they were
    loaded from. `is_graph`: the model answers with a graph of reduced precision instead of its own layers.
    """

    model: Any
    tokenizer: Any
    max_length: int | None
    labels: tuple[str, ...]
    texts: tuple[Text, ...]
    outputs: tuple[dict[str, Any], ...]
    folders: Folders | None = None
    is_graph: bool = False

    def labelled_model(self) -> Any:
        """The model for transformers' pipelines, with the served labels in its config."""
        model = copy.copy(self.model)  # the weights are not copied
        model.config = copy.deepcopy(model.config)
        model.config.id2label = dict(enumerate(self.labels))
        return model

    def fitting_tokenizer(self) -> Any:
        """The tokenizer for transformers' pipelines: with the model's limit and only the inputs that it accepts."""
        tokenizer = copy.deepcopy(self.tokenizer)
        tokenizer.model_max_length = self.max_length or tokenizer.model_max_length
        accepted = set(inspect.signature(self.model.forward).parameters)
        if getattr(self.model.config, "type_vocab_size", None) == 1:
            accepted.discard("token_type_ids")  # later parts of a long context have type 1, which such a model lacks
        tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name in accepted]
        return tokenizer


@dataclass(frozen=True, kw_only=True)
class FrozenTokenizer:
    """tokenizer.json and its settings (their form: model_repository/shared/tokenization.py)."""

    file: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The result of a conversion, as it is cached between builds: values only, no model.

    `examples` are the golden requests; `answers` are the reference model's answers to them, with label
    numbers instead of labels if the task has `relabelled`. `checked`: the largest batch that was compared with PyTorch.
    `tolerance`: how far a server's numbers may be from `answers`. `references`: PyTorch's own FP32 answers, in the same
    form, if a server measures its agreement with them; else (). `parity`: what the comparison measured. `step_files`:
    files that the steps need of the model beside these. `evaluated`: what is measured of the reference model's answer
    to each row of --eval-file.
    """

    graph: Graph
    tokenizer: FrozenTokenizer
    examples: tuple[Example, ...]
    answers: tuple[Tensors, ...]
    tolerance: float
    checked: int
    references: tuple[Tensors, ...] = ()
    parity: Mapping[str, float] = field(default_factory=dict)
    step_files: tuple[Path, ...] = ()
    evaluated: tuple[Answer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The rows of --eval-file, and what is measured of the reference model's answer to each."""

    eval_file: EvalFile
    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True)
class GoldenPair:
    """One golden request and its right answer: tensors by name, without batch dimension where the graph is batched.

    `reference`: PyTorch's own answer, if it is kept (Conversion.references).
    """

    inputs: Tensors
    outputs: Tensors
    reference: Tensors = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ServedGraph:
    """The result of an origin: a graph, its golden requests with their answers, and the tokenizer if the task has one.

    `golden` has the tensor names of the task's row; if the graph itself is served, those of the graph. `parity`: what
    the comparison with the reference model measured. `step_files`: see Conversion. `evaluated`: of --eval-file.
    """

    graph: Graph
    golden: tuple[GoldenPair, ...]
    tolerance: float = TOLERANCE
    tokenizer: FrozenTokenizer | None = None
    parity: Mapping[str, float] = field(default_factory=dict)
    step_files: tuple[Path, ...] = ()
    evaluated: Evaluated | None = None
