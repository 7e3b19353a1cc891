"""Stage 4: converts a PyTorch model and its tokenizer to a graph and a frozen tokenizer, and compares both."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from utils.convert import adapter, exporter, parity, quantization, reference_model, tokenization, version_5
from utils.convert.cached_conversion import checked_rows
from utils.convert.end_pooling import pooled_by_row
from utils.convert.evaluated import reference_answers, require_answerable
from utils.convert.exporters import open_exporter
from utils.convert.fused_graph import with_fusion
from utils.convert.probes import model_texts
from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.types import Conversion, Example, Folders, FrozenTokenizer, ReferenceModel
from utils.host import environment
from utils.host.environments import ENVIRONMENTS
from utils.host.errors import ExportError, SourceError
from utils.host.progress import note
from utils.repository.pipeline import Graph
from utils.repository.served_code import load_shared
from utils.sources.model_config import ModelConfig
from utils.sources.supported_types import require_supported
from utils.targets.exporters import OPTIMUM
from utils.targets.formats import GraphForm


def convert(model_folder: Path, tokenizer_folder: Path, destination: Path, spec: ConversionSpec) -> Conversion:
    """Writes the graph and tokenizer.json to `destination`, compares both with the reference, answers golden requests.

    Of a base with an adapter, `model_folder` is the base's, and the graph is compared with the merged and the unmerged
    model. The loaded model is released when it returns. Raises SourceError (3), ExportError (4) or ParityError (5).
    """
    return convert_with_reference(model_folder, tokenizer_folder, destination, spec)[0]


def convert_with_reference(
    model_folder: Path, tokenizer_folder: Path, destination: Path, spec: ConversionSpec
) -> tuple[Conversion, ReferenceModel]:
    """See `convert`; also the reference model, loaded."""
    exporter.prepare()
    task, target, base = spec.task, spec.target, model_folder
    if task.library and spec.exporter == OPTIMUM:
        environment.ensure(ENVIRONMENTS[task.library])
    if spec.tuned:
        model_folder = adapter.merge(spec.tuned, base, task)
    reference, frozen, examples = load_reference(model_folder, tokenizer_folder, destination, spec)
    version_5.check(model_folder, tokenizer_folder, reference, task, spec.settings)
    graph = _export(reference, destination, spec)
    tokenized, compared = _check(graph, frozen, reference, spec)
    unmerged = _check_unmerged(base, graph, frozen, reference, spec)
    graph = with_fusion(graph, frozen, reference, spec)
    evaluated = reference_answers(reference, spec)
    graph, answering, agreement = quantization.reduce(graph, reference, spec)
    if task.relabelled:
        numbers = tuple(map(str, range(len(spec.labels))))
        answering, reference = replace(answering, labels=numbers), replace(reference, labels=numbers)
    conversion = Conversion(
        graph=graph,
        tokenizer=frozen,
        examples=examples,
        answers=tuple(task.answer(answering, spec.settings, examples)),
        references=tuple(task.answer(reference, spec.settings, examples)) if target.agrees_where_served else (),
        tolerance=target.reduction.precision.tolerance,
        checked=checked_rows(spec.max_batch_size),
        parity={
            "tokenizer_texts": tokenized,
            "rows": compared.texts,
            "largest_difference": float(compared.max_difference),
            "same_choice": float(compared.agreement),
            **unmerged,
            **(agreement.facts if agreement else {}),
        },
        step_files=task.files(model_folder, spec.settings, destination) if task.files else (),
        evaluated=evaluated,
    )
    return conversion, reference


def load_reference(
    model_folder: Path, tokenizer_folder: Path, destination: Path, spec: ConversionSpec
) -> tuple[ReferenceModel, FrozenTokenizer, tuple[Example, ...]]:
    """The reference model with its outputs for the golden texts, the frozen tokenizer and the golden requests."""
    task, settings, target = spec.task, spec.settings, spec.target
    config = reference_model.load_config(model_folder)
    require_supported(config.model_type, task.export_task, spec.exporter)
    tokenizer = tokenization.load_tokenizer(tokenizer_folder, config)
    length = target.form.sequence_length
    reference_model.prepare_padding(tokenizer, spec.max_batch_size, length)
    reference_model.set_pad_token(tokenizer, config)
    if settings.get("lower_case"):
        tokenization.lower_case(tokenizer)
    model = reference_model.load_model(model_folder, config, task)
    model = task.complete(model, settings, model_folder) if task.complete else model
    limit = reference_model.token_limit(tokenizer, model, length or target.max_length or settings.get("max_length"))
    frozen = tokenization.freeze(tokenizer, destination, max_length=limit, length=length)
    if "prompts" in settings:
        frozen = tokenization.with_prompts(frozen, tokenizer, settings)
    examples = _golden_examples(tokenizer, limit, spec)
    require_answerable(tokenizer, limit, spec)
    texts = tuple(text for example in examples for text in task.texts(settings, example))
    outputs = reference_model.pytorch_outputs(model, tokenizer, texts, limit, names=task.graph_outputs)
    reference = ReferenceModel(
        model=model,
        tokenizer=tokenizer,
        max_length=limit,
        labels=spec.labels,
        texts=texts,
        outputs=tuple(outputs),
        folders=Folders(model=model_folder, tokenizer=tokenizer_folder, max_length=length or target.max_length),
    )
    return reference, frozen, examples


def _golden_examples(tokenizer: Any, limit: int | None, spec: ConversionSpec) -> tuple[Example, ...]:
    """The task's examples and this model's probes that the served model answers; SourceError if there are none."""
    task, settings = spec.task, spec.settings
    requested = (*task.examples, *task.further(settings), *task.probes(model_texts(tokenizer, limit)))
    examples = [each for each in requested if reference_model.has_tokens(tokenizer, task.texts(settings, each))]
    if not examples:
        raise SourceError("the tokenizer finds no token in any golden text; give the one the model was fine-tuned with")
    fitting = tuple(each for each in examples if task.fits is None or task.fits(tokenizer, settings, limit, each))
    if not fitting:
        raise SourceError(
            f"no golden request of {task.name} fits into {limit} tokens; give a larger --max-length or "
            "--sequence-length"
        )
    return fitting


def _export(reference: ReferenceModel, destination: Path, spec: ConversionSpec) -> Graph:
    form, task = spec.target.form, spec.task
    type_ids = reference_model.uses_type_ids(reference)
    padded = spec.max_batch_size > 1 or form.sequence_length is not None
    exported = reference_model.with_pad_id(reference, padded=padded)
    with pooled_by_row(exported.model):
        exporter_module = open_exporter(form.format, spec.exporter)
        graph = exporter_module.export_graph(exported, destination, spec, type_ids=type_ids)
    return with_form(_served_part(graph, task), form)


def _check(
    graph: Graph, frozen: FrozenTokenizer, reference: ReferenceModel, spec: ConversionSpec
) -> tuple[int, parity.Parity]:
    """How many texts were tokenized, and the parity. ParityError (5) if one of them differs from the reference."""
    names, texts = tuple(tensor.name for tensor in graph.inputs), reference.texts
    count = tokenization.check_parity(frozen, reference.tokenizer, names, pairs=not isinstance(texts[0], str))
    note(f"tokenizer: {count} texts, all ids equal to those of {type(reference.tokenizer).__name__}")
    result = parity.check_outputs(graph, frozen, texts, reference.outputs, max_batch_size=spec.max_batch_size)
    note(
        f"{', '.join(spec.task.graph_outputs)} against PyTorch on {result.texts} rows of ragged batches: "
        f"max abs diff {result.max_difference:.1e}, same choice {result.agreement:.1%}"
    )
    return count, result


def _check_unmerged(
    base: Path, graph: Graph, frozen: FrozenTokenizer, reference: ReferenceModel, spec: ConversionSpec
) -> dict[str, float]:
    """The figure for the report; ParityError (5) if the graph differs from the base with the adapter beside it."""
    if spec.tuned is None:
        return {}
    outputs = adapter.answers(spec.tuned, base, spec.task, reference)
    result = parity.check_outputs(graph, frozen, reference.texts, outputs, max_batch_size=spec.max_batch_size)
    note(f"against the unmerged model of PEFT: max abs diff {result.max_difference:.1e}")
    return {"largest_difference_unmerged": float(result.max_difference)}


def predict(config: ModelConfig, task: ModelTask, form: GraphForm) -> Graph:
    """The tensors of a conversion, predicted without weights. Raises what `convert` would for the same config."""
    exporter.prepare()
    loaded = reference_model.load_config(config.file.parent)
    require_supported(config.model_type, task.export_task, config.exporter)
    exporter_module = open_exporter(form.format, config.exporter)
    graph = exporter_module.predict_graph(loaded, task=task, head_size=task.head_size(config))
    return with_form(_served_part(graph, task), form)


def with_form(graph: Graph, form: GraphForm) -> Graph:
    """`graph` with the types and dims of `form` on its inputs.

    Outputs stay as they are: the ONNX Runtime backend accepts a config that fixes a free dimension of an input, but not
    of an output. Source: CompareDimsSupported in
    src/onnxruntime_utils.cc of onnxruntime_backend.
    """
    length = form.sequence_length or -1
    inputs = (
        replace(each, dtype=form.input_dtype, dims=tuple(length if dim == -1 else dim for dim in each.dims))
        for each in graph.inputs
    )
    return replace(graph, inputs=tuple(inputs))


def _served_part(graph: Graph, task: ModelTask) -> Graph:
    """`graph` with the task's outputs only; ExportError if it lacks one, or has an input that no text gives."""
    known = load_shared("tokenization").TENSORS
    others = [tensor.name for tensor in graph.inputs if tensor.name not in known]
    if others:
        raise ExportError(
            f"the graph has the inputs {', '.join(others)}, which do not come from a text; allowed: {', '.join(known)}"
        )
    found = {tensor.name: tensor for tensor in graph.outputs}
    missing = [name for name in task.graph_outputs if name not in found]
    if missing:
        raise ExportError(f"the graph has no output {', '.join(missing)}, only {', '.join(found)}")
    return replace(graph, outputs=tuple(found[name] for name in task.graph_outputs))
