"""What a row of the table of tasks holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils.proof.golden import TensorValue
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.tensors import TensorSpec
from utils.targets.formats import FORMATS

if TYPE_CHECKING:
    from utils.convert.reference_model import ReferenceModel
    from utils.convert_to_onnx import Conversion
    from utils.sources.labels import Labels
    from utils.sources.model_config import ModelConfig

# What a task's post-processing goes by: {name: JSON value}.
Settings = Mapping[str, Any]
# One row of a request: {input name: text, or a list of texts}.
Example = Mapping[str, Any]
# A request's or an answer's, by name.
Tensors = Mapping[str, TensorValue]
# What goes through the tokenizer at once.
Text = str | tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class TaskOption:
    """A command-line option that some tasks have; `parse` gives its value or raises UsageError.

    A flag has no `metavar`, and its value is True.
    """

    name: str
    help: str
    metavar: str | None = None
    parse: Callable[[str], object] = str


@dataclass(frozen=True, kw_only=True)
class GraphPipeline:
    """What a row has in place of an original when its steps go around several ready graphs.

    names: the models that the graphs are served as: MODEL's, then those that --add-model must give. between: the
    tensors that go from step to step. settings: what the steps go by, from the options. check: raises ExportError or
    SourceError for graphs (by name, dims whole shapes) or labels that the steps are not for, before anything slow runs.
    golden: requests to the whole and their right answers, in pairs, by the graphs (on disk by then) themselves.
    """

    names: tuple[str, ...]
    between: tuple[str, ...]
    settings: Callable[[Settings], Settings]
    check: Callable[[Mapping[str, Graph], "Labels"], None]
    golden: Callable[[Mapping[str, Graph], Settings, tuple[str, ...]], Sequence[tuple[Tensors, Tensors]]]


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What says whether a graph of reduced precision answers well enough: a `rule` of utils/convert/agreement.py.

    `values`: what it is applied to, one array a text. `labelled`: texts may come with their right labels (--eval-file).
    """

    rule: Callable[[Settings], str]
    values: Callable[["ReferenceModel", Settings], list[Any]] = lambda original, _: [
        each["logits"] for each in original.outputs
    ]
    labelled: bool = False


def no_answer(
    _original: "ReferenceModel", _settings: Settings, _examples: Sequence[Example]
) -> list[Mapping[str, TensorValue]]:
    """Of a task that starts from no original."""
    return []


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row of the table.

    origins: what MODEL may be, of origins/; what is no "transformers" model has no use for the fields that speak
    of an original. export_task: the exporter's word for it. auto_class: the class of transformers that loads it.
    graph_outputs: those outputs of the graph that are served on. inputs: the served API; `outputs` tells the answer's
    tensors from the settings and the graph. layouts: for each layout the makers of its steps, in the order in which
    a request passes them; the first layout is the default. settle: the settings, from the model's config, its labels
    and the options given; raises UsageError or SourceError before anything slow runs. examples: golden requests.
    texts: what of an example the graph gets. fits: does the served model answer an example, given the tokenizer, the
    settings and the most tokens of a row? Others are no golden requests. answer: the original's right answers, one for
    each example, from the original itself or transformers' own pipeline. comparison: a row of COMPARISONS.
    requests: the golden requests' tensors, where they are not the examples themselves.
    formats: the rows of targets/formats.py that its steps can be served with. unneeded: modules of the original that no
    served output comes from, so that a checkpoint may lack them. graphs: of a task that starts from several ready
    graphs. blank_label: the first label stands for no symbol, and may be empty. guard: None where no reduced precision
    is served. relabelled: an answer given with numbers for labels, with the labels; None where the answer hangs on
    their texts. sentences: it follows the files of sentence-transformers in the folder. not_in_cache_key: settings
    that neither the conversion nor the original's answers depend on. probes: golden requests made of texts of the
    model's own (probes.py). library: the environment (host/environments.py) whose library gives the original's answers,
    beside transformers.

    Two settings are also read by the conversion: `max_length`, the limit that --max-length stands above, and
    `lower_case`, for texts that are lower-cased before all else.
    """

    name: str
    export_task: str
    auto_class: str
    graph_outputs: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: Callable[[Settings, Graph], tuple[TensorSpec, ...]]
    layouts: Mapping[str, tuple[Callable[[Ingredients], Step], ...]]
    resolve_settings: Callable[["ModelConfig", tuple[str, ...], Settings], Settings]
    examples: tuple[Example, ...] = ()
    texts: Callable[[Settings, Example], Sequence[Text]] = lambda _settings, _example: ()
    fits: Callable[[Any, Settings, int | None, Example], bool] = lambda *_: True
    answer: Callable[["ReferenceModel", Settings, Sequence[Example]], list[Mapping[str, TensorValue]]] = no_answer
    requests: Callable[["Conversion", int], list[Mapping[str, TensorValue]]] | None = None
    origins: tuple[str, ...] = ("transformers",)
    comparison: str = "tensors"
    takes_labels: bool = True
    formats: tuple[str, ...] = tuple(FORMATS)
    unneeded: tuple[str, ...] = ()
    options: tuple[TaskOption, ...] = ()
    graphs: GraphPipeline | None = None
    blank_label: bool = False
    guard: Guard | None = None
    relabelled: Callable[[Mapping[str, TensorValue], tuple[str, ...]], Mapping[str, TensorValue]] | None = None
    not_in_cache_key: tuple[str, ...] = ()
    sentences: bool = False
    library: str | None = None
    probes: Callable[[Sequence[str]], Sequence[Example]] = lambda _: ()
