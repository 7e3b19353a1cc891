"""What a row of the table of tasks holds: a common record, and what is added for a model or for ready graphs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.convert.types import Conversion, Example, ReferenceModel, Settings, Tensors, Text
from utils.evaluation.calibration_file import CalibrationFile
from utils.evaluation.eval_file import EvalFile
from utils.host.numbers import require_known
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.tensors import TensorSpec
from utils.sources.labels import Labels
from utils.sources.model_config import ModelConfig
from utils.sources.tuned_model import TunedModel
from utils.targets.exporters import OPTIMUM
from utils.targets.formats import FORMATS
from utils.targets.target import Target


@dataclass(frozen=True, kw_only=True)
class TaskOption:
    """A command-line option that some tasks have; `parse` gives its value or raises UsageError.

    A flag has no `metavar`, and its value is True. `choices`: the allowed texts; () allows all that `parse` does.
    """

    name: str
    help: str
    metavar: str | None = None
    parse: Callable[[str], object] = str
    choices: tuple[str, ...] = ()

    def value(self, text: str) -> object:
        """The value of `text`; UsageError if it is not allowed."""
        if self.choices:
            require_known(f"--{self.name.replace('_', '-')}", text, self.choices)
        return self.parse(text)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every row has.

    origins: what MODEL may be, rows of origins/, the preferred one first. inputs: the served API; () where the graph's
    own tensors are served. outputs: the answer's tensors, from the settings and the graph. layouts: for each layout the
    makers of its steps, in the order in which a request passes them; the first layout is the default. comparison: a
    rule of comparison.py. formats: the rows of targets/formats.py that its steps can be served with. takes_labels: the
    build needs a label map. blank_label: the first label stands for no symbol, and may be empty. pipeline_tag: the task
    on the Hugging Face hub; "" for one that the hub does not have.
    """

    name: str
    origins: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: Callable[[Settings, Graph], tuple[TensorSpec, ...]]
    layouts: Mapping[str, tuple[Callable[[Ingredients], Step], ...]]
    comparison: str = "tensors"
    takes_labels: bool = True
    blank_label: bool = False
    pipeline_tag: str = ""
    formats: tuple[str, ...] = tuple(FORMATS)
    options: tuple[TaskOption, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Guard:
    """How to tell whether a graph of reduced precision answers well enough: a `rule` of agreement.py.

    `values`: what the rule compares, one array a text.
    """

    rule: Callable[[Settings], str]
    values: Callable[[ReferenceModel, Settings], list[Any]] = lambda reference, _: [
        each["logits"] for each in reference.outputs
    ]


@dataclass(frozen=True, kw_only=True)
class ModelTask(Task):
    """A task of a transformers model; by default of a single text, `text_input`.

    export_task: the exporter's word for it. auto_class: the class of transformers that loads the model. graph_outputs:
    the outputs of the graph that the next step reads. resolve_settings: the settings, from the model's config, its
    labels and the options; raises UsageError or SourceError before anything slow runs. examples: golden requests.
    probes: golden requests made of texts of the model's own (probes.py). texts: the texts of an example that the graph
    reads. fits: whether the served model answers an example, given the tokenizer, the settings and the most tokens of a
    row; others are no golden requests. answer: the reference model's right answers, one for each example, by
    transformers' pipeline or sentence-transformers. requests: the golden requests' tensors, where they are not the
    examples themselves. unneeded: modules of the model that no served
    output comes from, so that a checkpoint may lack them. guard: None where no reduced precision is served.
    relabelled: puts labels into an answer that holds their numbers; None where the answer depends on their texts.
    further: golden requests that the settings add. parameters: the parameters of a request; an example has them beside
    its texts. files: writes what the steps need of the model beside its graph into a folder, and returns the files.
    not_in_cache_key: settings that neither the conversion nor the answers depend on. sentences: the task follows the
    files of sentence-transformers in the folder. library: the environment (host/environments.py) whose library gives
    the answers, beside transformers. complete: adds layers to the loaded model, from the settings and its folder, so
    that they are in the graph (completed_model.py). head_size: the width of the logits. variants: {kind of folder: the
    fields that differ for it}. right_answers: the kind of them in --eval-file (evaluation/kinds.py), from the settings
    and the width of the logits; UsageError for answers that no kind measures. None: the task has no right answers.

    Some settings are also read by the conversion: `max_length`, the limit that --max-length overrides, `lower_case`,
    for texts that are lower-cased before all else, and `prompts`, with `default_prompt` and, if they
    are not pooled, `include_prompt` (utils/sources/sentence_folder.py).
    """

    origins: tuple[str, ...] = ("transformers",)
    export_task: str
    auto_class: str
    resolve_settings: Callable[[ModelConfig, tuple[str, ...], Settings], Settings]
    answer: Callable[[ReferenceModel, Settings, Sequence[Example]], list[Tensors]]
    graph_outputs: tuple[str, ...] = ("logits",)
    examples: tuple[Example, ...] = tuple({"text_input": text} for text in GOLDEN_TEXTS)
    probes: Callable[[Sequence[str]], Sequence[Example]] = lambda texts: [{"text_input": text} for text in texts]
    texts: Callable[[Settings, Example], Sequence[Text]] = lambda _, example: (example["text_input"],)
    fits: Callable[[Any, Settings, int | None, Example], bool] | None = None
    requests: Callable[[Conversion, int], list[Tensors]] | None = None
    further: Callable[[Settings], Sequence[Example]] = lambda _: ()
    parameters: tuple[str, ...] = ()
    files: Callable[[Path, Settings, Path], tuple[Path, ...]] | None = None
    unneeded: tuple[str, ...] = ()
    guard: Guard | None = None
    relabelled: Callable[[Tensors, tuple[str, ...]], Tensors] | None = None
    not_in_cache_key: tuple[str, ...] = ()
    sentences: bool = False
    library: str | None = None
    complete: Callable[[Any, Settings, Path], Any] | None = None
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    head_size: Callable[[ModelConfig], int] = lambda config: config.head_size
    right_answers: Callable[[Settings, int], str] | None = None

    @property
    def graph_task(self) -> str:
        """The exporter's word for the graph: a completed model gives one row of logits a text, as a classifier."""
        return "text-classification" if self.complete else self.export_task


@dataclass(frozen=True, kw_only=True)
class GraphPipeline:
    """The steps around several ready graphs.

    names: the models that the graphs are served as: MODEL's, then those that --add-model must give. between: the
    tensors that go from step to step. settings: the steps' settings, from the options. check: raises ExportError or
    SourceError for graphs (by name, dims whole shapes) or labels that the steps cannot use, before anything slow runs.
    golden: requests to the whole and their right answers, in pairs, by the graphs on disk.
    """

    names: tuple[str, ...]
    between: tuple[str, ...]
    settings: Callable[[Settings], Settings]
    check: Callable[[Mapping[str, Graph], Labels], None]
    golden: Callable[[Mapping[str, Graph], Settings, tuple[str, ...]], Sequence[tuple[Tensors, Tensors]]]


@dataclass(frozen=True, kw_only=True)
class GraphTask(Task):
    """A task of ready graphs: one that is served as it is, or several with a `pipeline` of steps around them."""

    origins: tuple[str, ...] = ("graph",)
    pipeline: GraphPipeline | None = None


def pipeline_of(task: Task) -> GraphPipeline | None:
    """The steps around the ready graphs of a task; None where there are none."""
    return task.pipeline if isinstance(task, GraphTask) else None


@dataclass(frozen=True, kw_only=True)
class ConversionSpec:
    """What a conversion needs beside its files.

    `labels` are the label map's texts, () for a task without; `settings` are those that the task's row resolved.

    `exporter`: a row of targets/exporters.py. `tuned`: the model is a base with an adapter. `eval_file`: rows
    whose right answers are known. `calibration_file`: texts that an int8 graph's scales are fixed from.
    """

    task: ModelTask
    target: Target
    max_batch_size: int
    exporter: str = OPTIMUM
    labels: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)
    tuned: TunedModel | None = None
    eval_file: EvalFile | None = None
    calibration_file: CalibrationFile | None = None
