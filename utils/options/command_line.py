"""The command line of make_triton_image.sh. Standard library only."""

import argparse
import json
from collections.abc import Callable, Iterable
from typing import Any

from utils.host import entry
from utils.options.config_file import Names
from utils.options.config_schema import config_schema, is_flag, is_list
from utils.targets.apis import APIS
from utils.targets.engines import DEFAULT_ENGINE
from utils.targets.formats import DEFAULT_FORMAT, INPUT_DTYPES
from utils.targets.releases import default_release, list_releases
from utils.targets.runtimes import DEFAULT_DEVICE
from utils.targets.tuning import KNOBS
from utils.tasks import DEFAULT_TASK, task_options

LISTS = ("accept_unknown", "add_model", "cache_from", "cache_to", "golden_inputs", "inputs", "outputs", "label")
FLAGS = ("no_image", "dry_run", "no_cache", "no_verify", "no_measure", "json")
# They belong to the run; the others may be in a --config file.
OF_THE_RUN = ("help", "config", "debug", "jobs")
PERMISSIONS = ("allow_pickle", "allow_duplicate_labels", "allow_placeholder_labels")


SOURCE = "a path, hf:user/name[@revision], s3://bucket/prefix or another reference of docs/sources.md"
# Rows: name, metavar, help. An option without a metavar is a flag; those of LISTS may be repeated.
Row = tuple[str, str, str]
ARGUMENTS: tuple[Row, ...] = (
    ("model", "MODEL", f"the fine-tuned model, a PEFT adapter, or a ready graph (.onnx, .pb): {SOURCE}"),
    ("tokenizer", "TOKENIZER", "its tokenizer, a reference like MODEL; - for a ready graph"),
    ("id2label", "ID2LABEL", "a JSON file with the labels, or - for the labels in the model's config"),
    ("model_name", "MODEL_NAME", "name in the API and in the image's name (default: ensemble_model)"),
    ("tag", "TAG", "the image's tag (default: latest)"),
    ("max_batch_size", "MAX_BATCH_SIZE", "largest batch (default: 4)"),
)
POSITIONALS = tuple(name for name, *_ in ARGUMENTS)
TARGET: tuple[Row, ...] = (
    ("--config", "FILE.yaml", "read arguments and options from a YAML file; or a list of builds"),
    ("--jobs", "N", "number of builds of a list that run at the same time (default: 1)"),
    ("--print-config-schema", "", "print the JSON Schema of that file and exit"),
    ("--task", "TASK", f"task of the model (default: {DEFAULT_TASK})"),
    ("--device", "DEVICE", f"cpu: small image; gpu: NVIDIA's full image (default: {DEFAULT_DEVICE})"),
    ("--layout", "LAYOUT", "fused: one model for all steps (default for cpu); ensemble: one per step"),
    ("--api", "NAMES", f"add routes of other APIs: {', '.join(APIS)}, or several with commas"),
    ("--engine", "ENGINE", f"runtime of the graph: onnxruntime, openvino or tensorrt (default: {DEFAULT_ENGINE})"),
    ("--release", "YY.MM", f"Triton release (default: {default_release()})"),
    ("--driver", "VERSION", "choose the release for this GPU driver, such as 535.104"),
    ("--compute-capability", "X.Y", "choose the release for this GPU, such as 8.6 (default: nvidia-smi)"),
    ("--gpus", "LIST", "GPUs to use: all (default), or numbers such as 0,1"),
    ("--opset", "N", "ONNX opset of the export (default: 18, or the release's newest)"),
    ("--list-releases", "", "print all Triton releases and exit"),
    ("--base-image", "IMAGE", "take Triton from this image instead of NVIDIA's"),
    ("--slim-image", "IMAGE", "base of the cpu image (default: the release's Ubuntu)"),
    ("--label", "KEY=VALUE", "label of the image, such as org.opencontainers.image.vendor=Example; may be repeated"),
    ("--image", "REPOSITORY", "image name without tag (default: tritoned_MODEL_NAME)"),
)
MODELS: tuple[Row, ...] = (
    ("--adapter", "REF", "PEFT adapter to merge into MODEL, a reference like MODEL"),
    ("--add-model", "NAME=FILE", "also serve this graph, as NAME; may be repeated"),
    ("--golden-inputs", "FILE.npz", "golden requests of a ready graph; [NAME=]FILE.npz, may be repeated"),
    ("--inputs", "TENSORS", "inputs of a frozen TensorFlow graph (.pb); [NAME=]TENSOR,TENSOR, may be repeated"),
    ("--outputs", "TENSORS", "outputs of a frozen TensorFlow graph (.pb); [NAME=]TENSOR,TENSOR, may be repeated"),
    ("--model-version", "N", "add version N to the versions built before (default: 1, alone)"),
    ("--versions-of", "TAG", "take the earlier versions from the build of this tag"),
    ("--version-policy", "POLICY", "versions to serve: all (default), latest:N or specific:N,N"),
    ("--input-name", "NAME", "name of the served input, or USUAL=NAME[,USUAL=NAME]"),
    ("--output-name", "NAME", "name of the served output, or USUAL=NAME[,USUAL=NAME]"),
    ("--step-name", "STEP=NAME", "model names of steps, such as text_preprocessing=tokenizer"),
    ("--max-length", "TOKENS", "truncate texts to this many (default: the model's limit)"),
    ("--format", "FORMAT", f"export format: onnx or torchscript (default: {DEFAULT_FORMAT})"),
    ("--exporter", "NAME", "optimum or dynamo (default: optimum, or dynamo if only transformers 5 knows the model)"),
    ("--precision", "PRECISION", "fp32 (default); int8 for a CPU; fp16 for a GPU; bf16 with openvino or tensorrt"),
    ("--min-agreement", "SHARE", "minimum agreement of a reduced precision with PyTorch (default: 0.99)"),
    ("--max-drift", "DIFFERENCE", "maximum difference of a score from PyTorch's (default: any)"),
    ("--eval-file", "FILE", "texts with right answers, for accuracy, agreement and drift: .tsv, .csv or .jsonl"),
    ("--calibration-file", "FILE", "texts like those that are served, to fix the scales of int8: .tsv, .csv or .jsonl"),
    *((knob.option, knob.metavar, knob.help) for knob in KNOBS.values()),
    ("--sequence-length", "TOKENS", "pad and truncate every text to exactly this many"),
    ("--input-dtype", "DTYPE", f"type of the graph's inputs: INT64 or INT32 (default: {INPUT_DTYPES[0]})"),
    ("--fusion", "FUSION", "transformers: fuse attention and normalization for a GPU with onnxruntime (default: none)"),
    ("--fetch-timeout", "SECONDS", "time limit of each download (default: 600)"),
    ("--allow-pickle", "", "load pickled weights; only from a source you trust"),
    ("--allow-duplicate-labels", "", "accept labels that occur twice"),
    ("--allow-placeholder-labels", "", "accept LABEL_0, LABEL_1 ..."),
    ("--accept-unknown", "KEY", "accept this unknown setting of the model's files; may be repeated"),
    ("--platform", "LIST", "linux/amd64, linux/arm64 or both with a comma (default: the base image's)"),
)
PUSH: tuple[Row, ...] = (
    ("--push", "", "push the proven image to the registry in its name"),
    ("--move-tag", "", "let --push move a tag that the registry has already"),
    ("--push-timeout", "SECONDS", "time limit of each push (default: 3600)"),
    ("--sign-key", "FILE", "sign what --push releases with this private key: PEM, P-256 or Ed25519"),
    ("--cache-from", "CACHE", "reuse layers of this cache, as docker build does; may be repeated"),
    ("--cache-to", "CACHE", "store layers for later builds in this cache, as docker build does; may be repeated"),
)
OMISSIONS: tuple[Row, ...] = (
    ("--no-image", "", "stop after the model repository; needs no Docker"),
    ("--dry-run", "", "print the plan and write nothing"),
    ("--no-cache", "", "ignore all caches: fetch, convert and build again"),
    ("--no-verify", "", "skip the boot proof of the built server"),
    ("--no-measure", "", "do not measure the latency after the boot proof"),
    ("--json", "", "print the result as one JSON object"),
    ("--debug", "", "show tracebacks"),
)
# Options that print something and exit.
PRINTING: dict[str, Callable[[argparse.ArgumentParser], str]] = {
    "--list-releases": lambda _: list_releases(),
    "--print-config-schema": lambda parser: json.dumps(config_file_schema(parser), indent=2),
}


def make_parser() -> argparse.ArgumentParser:
    """The command line of make_triton_image.sh; docs/usage.md shows its --help."""
    parser = entry.Parser(
        prog="make_triton_image.sh",
        usage="%(prog)s MODEL TOKENIZER ID2LABEL [MODEL_NAME] [TAG] [MAX_BATCH_SIZE] [options]",
        description="Builds a Triton Inference Server image of a Hugging Face model, "
        "and proves that it gives the same answers as the PyTorch model.",
        epilog="example: ./make_triton_image.sh ./model ./model ./id2label.json topics v1 8",
        allow_abbrev=False,
        add_help=True,
    )
    arguments = parser.add_argument_group("arguments")
    for name, metavar, text in ARGUMENTS:
        arguments.add_argument(name, metavar=metavar, nargs="?", help=text)
    of_tasks = [(f"--{each.name.replace('_', '-')}", each.metavar or "", each.help) for each in task_options().values()]
    add_options(parser.add_argument_group("options"), [*TARGET, *of_tasks, *MODELS, *PUSH, *OMISSIONS])
    return parser


def add_options(group: Any, rows: Iterable[Row]) -> None:
    """Adds the options of `rows` to an argument group or a parser."""
    for name, metavar, text in rows:
        kind: dict[str, Any] = {"metavar": metavar} if metavar else {"action": "store_true"}
        if name in PRINTING:
            kind = {"action": entry.Printing, "text": PRINTING[name]}
        elif name[2:].replace("-", "_") in LISTS:
            kind["action"] = "append"
        group.add_argument(name, help=text, **kind)


def options_of_a_build(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments and options that a --config file may have."""
    return [action for action in parser._actions if action.dest not in (*OF_THE_RUN, argparse.SUPPRESS)]


def config_file_schema(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The JSON Schema of --config files."""
    return config_schema(options_of_a_build(parser))


def names_of(parser: argparse.ArgumentParser) -> Names:
    """The names that a --config file may have, by their kinds."""
    actions = options_of_a_build(parser)
    return Names(
        known=frozenset(action.dest for action in actions),
        flags=frozenset(action.dest for action in actions if is_flag(action)),
        lists=frozenset(action.dest for action in actions if is_list(action)),
    )
