"""Stage 4: a PyTorch model and its tokenizer become an ONNX graph and a frozen tokenizer, held against the originals.

Also runs by itself:
`python utils/convert_to_onnx.py MODEL TOKENIZER ID2LABEL OUTPUT_DIR` (see --help).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: its own folder must not shadow other packages, the project root must be found
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from utils.convert import exporter, parity, tokenization, version_5
from utils.convert import quantization as reduction
from utils.convert import reference_model as original
from utils.convert.cached_conversion import checked_rows
from utils.convert.end_pooling import pooled_by_row
from utils.convert.probes import model_texts
from utils.convert.reference_model import Folders, ReferenceModel
from utils.convert.task import Example, Settings, Task
from utils.host import entry, environment
from utils.host.environments import ENVIRONMENTS
from utils.host.errors import ExportError, SourceError
from utils.host.progress import note, stage
from utils.options.build_spec import DEFAULT_FETCH_TIMEOUT, LABELS_FROM_MODEL
from utils.options.release_choice import warn_of_doubts
from utils.proof.golden import TensorValue
from utils.repository.pipeline import Graph
from utils.repository.served_code import load_shared
from utils.repository.tensors import TensorSpec
from utils.sources.fetch import fetch_metadata, fetch_model
from utils.sources.model_config import ModelConfig
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import parse_reference
from utils.sources.supported_types import require_supported
from utils.targets.engines import DEFAULT_ENGINE
from utils.targets.formats import FORMATS, GraphForm
from utils.targets.precisions import Reduction
from utils.targets.releases import Release, default_release, find_release
from utils.targets.runtimes import DEFAULT_DEVICE
from utils.tasks import DEFAULT_TASK, find_task


@dataclass(frozen=True, kw_only=True)
class ConversionSpec:
    """What a conversion is to serve: `settings` are what the task's row settled on."""

    task: Task
    release: Release
    max_batch_size: int
    max_length: int | None = None
    form: GraphForm = field(default_factory=GraphForm)
    labels: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)
    reduction: Reduction = field(default_factory=Reduction)
    engine: str = DEFAULT_ENGINE


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What a conversion leaves: the graph, the tokenizer, and the original with what it said to the golden texts.

    `answers` hold numbers in the place of labels where the task puts these in later. `checked`: the largest batch that
    was held against PyTorch. `original` is None where the conversion is a kept one of an earlier build.
    Of a reduced precision the original is one that answers with the graph itself; `tolerance` is that of its numbers.
    """

    graph: Graph
    tokenizer: tokenization.FrozenTokenizer
    original: ReferenceModel | None
    examples: tuple[Example, ...]
    tolerance: float
    checked: int
    answers: tuple[Mapping[str, TensorValue], ...] = ()


def convert(model_folder: Path, tokenizer_folder: Path, destination: Path, wanted: ConversionSpec) -> Conversion:
    """Writes the graph and tokenizer.json to `destination` and checks both against the originals.

    Raises SourceError (3), ExportError (4) or ParityError (5).
    """
    exporter.quieten()
    task, settings = wanted.task, wanted.settings
    if task.library:
        environment.ensure(ENVIRONMENTS[task.library])
    config = original.load_config(model_folder)
    require_supported(config.model_type, task.export_task)
    tokenizer = tokenization.load_tokenizer(tokenizer_folder, config)
    length = wanted.form.sequence_length
    original.prepare_padding(tokenizer, wanted.max_batch_size, length)
    original.set_pad_token(tokenizer, config)
    if settings.get("lower_case"):
        tokenization.lower_case(tokenizer)
    model = original.load_model(model_folder, config, task)
    limit = original.token_limit(tokenizer, model, length or wanted.max_length or settings.get("max_length"))
    frozen = tokenization.freeze(tokenizer, destination, max_length=limit, length=length)
    examples = _golden_examples(tokenizer, limit, wanted)
    texts = tuple(text for example in examples for text in task.texts(settings, example))
    outputs = original.pytorch_outputs(model, tokenizer, texts, limit, names=task.graph_outputs)
    asked = ReferenceModel(
        model=model,
        tokenizer=tokenizer,
        max_length=limit,
        labels=wanted.labels,
        texts=texts,
        outputs=tuple(outputs),
        folders=Folders(model=model_folder, tokenizer=tokenizer_folder, max_length=length or wanted.max_length),
    )
    version_5.check(model_folder, tokenizer_folder, asked, task, lower_case=bool(settings.get("lower_case")))
    graph = _export(asked, destination, wanted)
    names = tuple(tensor.name for tensor in graph.inputs)
    count = tokenization.check_parity(frozen, tokenizer, names, pairs=not isinstance(texts[0], str))
    note(f"tokenizer: {count} texts, all ids as {type(tokenizer).__name__} gives them")
    result = parity.check_outputs(graph, frozen, texts, outputs, max_batch_size=wanted.max_batch_size)
    note(
        f"{', '.join(task.graph_outputs)} against PyTorch on {result.texts} rows of ragged batches: "
        f"max abs diff {result.max_difference:.1e}, same choice {result.agreement:.1%}"
    )
    graph, answering = reduction.reduce(graph, asked, wanted)
    return Conversion(
        checked=checked_rows(wanted.max_batch_size),
        graph=graph,
        tokenizer=frozen,
        original=answering,
        examples=examples,
        tolerance=wanted.reduction.precision.tolerance,
    )


def _golden_examples(tokenizer: Any, limit: int | None, wanted: ConversionSpec) -> tuple[Example, ...]:
    """The task's examples and this model's probes that the served model answers; SourceError if there are none."""
    task, settings = wanted.task, wanted.settings
    asked = (*task.examples, *task.probes(model_texts(tokenizer, limit)))
    examples = [each for each in asked if original.has_tokens(tokenizer, task.texts(settings, each))]
    if not examples:
        raise SourceError("the tokenizer finds no token in any golden text; give the one the model was fine-tuned with")
    fitting = tuple(each for each in examples if task.fits(tokenizer, settings, limit, each))
    if not fitting:
        raise SourceError(
            f"no golden request of {task.name} fits into {limit} tokens; give a larger --max-length or "
            "--sequence-length"
        )
    return fitting


def answered(conversion: Conversion, wanted: ConversionSpec) -> Conversion:
    """With the original's answers to the golden requests, by the settings wanted."""
    task, original = wanted.task, conversion.original
    assert original  # only a kept conversion has none, and that has its answers
    if task.relabelled:
        original = replace(original, labels=tuple(map(str, range(len(wanted.labels)))))
    return replace(conversion, answers=tuple(task.answer(original, wanted.settings, conversion.examples)))


def _export(asked: ReferenceModel, destination: Path, wanted: ConversionSpec) -> Graph:
    form, task = wanted.form, wanted.task
    exporter_of_form = FORMATS[form.format].open_exporter()
    type_ids = original.uses_type_ids(asked)
    config = asked.model.config.get_text_config()
    own_pad_id = config.pad_token_id
    original.set_pad_id(asked, padded=wanted.max_batch_size > 1 or form.sequence_length is not None)
    try:
        with pooled_by_row(asked.model):
            graph = exporter_of_form.export_graph(
                asked, destination, task=task, release=wanted.release, type_ids=type_ids, input_dtype=form.input_dtype
            )
    finally:
        config.pad_token_id = own_pad_id  # golden answers come from the model as it was saved
    return form.applied(_served_part(graph, task))


def predict(config: ModelConfig, task: Task, form: GraphForm) -> Graph:
    """The tensors a conversion will have, told without weights. Raises what `convert` would for the same config."""
    exporter.quieten()
    original_config = original.load_config(config.file.parent)
    require_supported(config.model_type, task.export_task)
    graph = FORMATS[form.format].open_exporter().predict_graph(original_config, task=task, head_size=config.head_size)
    return form.applied(_served_part(graph, task))


def _served_part(graph: Graph, task: Task) -> Graph:
    _require_from_text(graph.inputs)
    return replace(graph, outputs=_only(graph.outputs, task.graph_outputs))


def _require_from_text(inputs: tuple[TensorSpec, ...]) -> None:
    """ExportError when a graph takes what cannot be told from a text."""
    known = load_shared("tokenization").TENSORS
    others = [tensor.name for tensor in inputs if tensor.name not in known]
    if others:
        raise ExportError(f"the graph takes {', '.join(others)}, which no text gives; it may take {', '.join(known)}")


def _only(outputs: tuple[TensorSpec, ...], names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
    found = {tensor.name: tensor for tensor in outputs}
    missing = [name for name in names if name not in found]
    if missing:
        raise ExportError(f"the graph has no output {', '.join(missing)}, only {', '.join(found)}")
    return tuple(found[name] for name in names)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line of this module run by itself; UsageError (exit 2) for anything wrong in it."""
    parser = entry.Parser(
        prog="convert_to_onnx.py",
        description="Converts a fine-tuned model to ONNX, checks it against PyTorch, and saves model.onnx, "
        "tokenizer.json and id2label.json to OUTPUT_DIR. Each source is a path, hf:user/name[@revision], "
        "clearml:<model id> or s3://bucket/prefix.",
        epilog="example: python utils/convert_to_onnx.py hf:user/model hf:user/model ./id2label.json ./onnx",
    )
    parser.add_argument("model", metavar="MODEL", type=parse_reference)
    parser.add_argument("tokenizer", metavar="TOKENIZER", type=parse_reference)
    parser.add_argument("id2label", metavar="ID2LABEL", help="label file, or - for the labels in the model's config")
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path)
    parser.add_argument("--task", type=find_task, default=DEFAULT_TASK, help="default: %(default)s")
    parser.add_argument("--release", metavar="YY.MM", type=find_release, default=default_release())
    parser.add_argument("--max-batch-size", metavar="N", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--max-length", metavar="TOKENS", type=int, default=None)
    parser.add_argument("--fetch-timeout", metavar="SECONDS", type=float, default=DEFAULT_FETCH_TIMEOUT)
    for what in ("pickle", "duplicate-labels", "placeholder-labels"):
        parser.add_argument(f"--allow-{what}", action="store_true", help="see make_triton_image.sh --help")
    return parser.parse_args(argv)


def run(argv: Sequence[str]) -> str:
    """Fetches, converts and saves; returns the path of the graph."""
    arguments = parse_arguments(argv)
    output: Path = arguments.output
    warn_of_doubts(arguments.release, DEFAULT_DEVICE)
    wanted = Sources(
        model=arguments.model,
        tokenizer=arguments.tokenizer,
        labels=None if arguments.id2label == LABELS_FROM_MODEL else parse_reference(arguments.id2label),
        fetch_timeout=arguments.fetch_timeout,
        requirements=SourceRequirements(
            export_task=arguments.task.export_task,
            max_batch_size=arguments.max_batch_size,
            max_length=arguments.max_length,
            takes_labels=arguments.task.takes_labels,
            allow_pickle=arguments.allow_pickle,
            allow_duplicate_labels=arguments.allow_duplicate_labels,
            allow_placeholder_labels=arguments.allow_placeholder_labels,
        ),
    )
    with tempfile.TemporaryDirectory() as downloads:
        with stage("references", SourceError):
            metadata = fetch_metadata(wanted, Path(downloads))
        with stage("weights", SourceError):
            model_folder = fetch_model(wanted, metadata, Path(downloads))
        with stage("convert", ExportError):
            settings = arguments.task.resolve_settings(metadata.config, metadata.label_texts, {})
            asked = ConversionSpec(
                task=arguments.task,
                release=arguments.release,
                max_batch_size=arguments.max_batch_size,
                max_length=arguments.max_length,
                labels=metadata.label_texts,
                settings=settings,
            )
            conversion = convert(model_folder, metadata.tokenizer.path, output, asked)
    id2label = {str(index): label for index, label in enumerate(metadata.label_texts)}
    (output / "id2label.json").write_text(json.dumps(id2label, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return str(conversion.graph.path)


if __name__ == "__main__":
    entry.run(lambda: run(sys.argv[1:]))
