"""Converts a model to ONNX by itself: `python utils/convert_to_onnx.py MODEL TOKENIZER ID2LABEL OUTPUT_DIR`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file: its own folder must not shadow other packages, the project root must be found
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from utils.convert.exporters import open_converter
from utils.convert.task import ConversionSpec, ModelTask
from utils.host import entry
from utils.host.errors import ExportError, SourceError, UsageError
from utils.host.progress import stage
from utils.options.build_spec import LABELS_FROM_MODEL
from utils.options.release_choice import warn_of_doubts
from utils.options.values import DEFAULTS
from utils.sources.fetch import fetch_metadata, fetch_model
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import parse_reference
from utils.targets.exporters import parse_exporter
from utils.targets.releases import default_release, find_release
from utils.targets.runtimes import DEFAULT_DEVICE
from utils.targets.target import Target
from utils.tasks import DEFAULT_TASK, find_task


def _model_task(name: str) -> ModelTask:
    task = find_task(name)
    if not isinstance(task, ModelTask):
        raise UsageError(
            f"--task {name} is for ready graphs, which need no conversion; serve one with make_triton_image.sh"
        )
    return task


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line of this module run by itself; UsageError (exit 2) for anything wrong in it."""
    parser = entry.Parser(
        prog="convert_to_onnx.py",
        description="Converts a fine-tuned model to ONNX, checks it against PyTorch, and saves model.onnx, "
        "tokenizer.json and id2label.json to OUTPUT_DIR. Each source is a path, hf:user/name[@revision] or "
        "another reference of docs/sources.md.",
        epilog="example: python utils/convert_to_onnx.py hf:user/model hf:user/model ./id2label.json ./onnx",
    )
    parser.add_argument("model", metavar="MODEL", type=parse_reference)
    parser.add_argument("tokenizer", metavar="TOKENIZER", type=parse_reference)
    parser.add_argument("id2label", metavar="ID2LABEL", help="label file, or - for the labels in the model's config")
    parser.add_argument("output", metavar="OUTPUT_DIR", type=Path)
    parser.add_argument("--task", type=_model_task, default=DEFAULT_TASK, help="default: %(default)s")
    parser.add_argument("--release", metavar="YY.MM", type=find_release, default=default_release())
    parser.add_argument("--max-batch-size", metavar="N", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--max-length", metavar="TOKENS", type=int, default=None)
    parser.add_argument(
        "--exporter", metavar="NAME", type=parse_exporter, help="default: see make_triton_image.sh --help"
    )
    parser.add_argument("--fetch-timeout", metavar="SECONDS", type=float, default=float(DEFAULTS["fetch_timeout"]))
    for what in ("pickle", "duplicate-labels", "placeholder-labels"):
        parser.add_argument(f"--allow-{what}", action="store_true", help="see make_triton_image.sh --help")
    return parser.parse_args(argv)


def run(argv: Sequence[str]) -> str:
    """Fetches, converts and saves; returns the path of the graph."""
    arguments = parse_arguments(argv)
    output: Path = arguments.output
    warn_of_doubts(arguments.release, DEFAULT_DEVICE)
    sources = Sources(
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
            exporter=arguments.exporter,
        ),
    )
    with tempfile.TemporaryDirectory() as downloads:
        with stage("references", SourceError):
            metadata = fetch_metadata(sources, Path(downloads))
        with stage("weights", SourceError):
            model_folder = fetch_model(sources, metadata, Path(downloads))
        with stage("convert", ExportError):
            settings = arguments.task.resolve_settings(metadata.config, metadata.label_texts, {})
            spec = ConversionSpec(
                task=arguments.task,
                target=Target(release=arguments.release, max_length=arguments.max_length),
                max_batch_size=arguments.max_batch_size,
                labels=metadata.label_texts,
                settings=settings,
                exporter=metadata.config.exporter,
                tuned=metadata.tuned,
            )
            conversion = open_converter(spec.exporter).convert(model_folder, metadata.tokenizer.path, output, spec)
    id2label = {str(index): label for index, label in enumerate(metadata.label_texts)}
    (output / "id2label.json").write_text(json.dumps(id2label, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return str(conversion.graph.path)


if __name__ == "__main__":
    entry.run(lambda: run(sys.argv[1:]))
