"""The command line of make_triton_image.sh. Standard library only."""

import argparse
import json
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

POSITIONALS = ("model", "tokenizer", "id2label", "model_name", "tag", "max_batch_size")
LISTS = ("accept_unknown", "add_model", "cache_from", "cache_to", "golden_inputs", "inputs", "outputs", "label")
FLAGS = ("no_image", "dry_run", "no_cache", "no_verify", "no_measure", "json")
# They belong to the run; the others may be in a --config file.
OF_THE_RUN = ("help", "config", "debug", "jobs")
PERMISSIONS = ("allow_pickle", "allow_duplicate_labels", "allow_placeholder_labels")


class _ListReleases(argparse.Action):
    """Like --help: prints the table and exits, whatever the other arguments are."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        entry.write_stdout(list_releases() + "\n")
        parser.exit()


class _PrintConfigSchema(argparse.Action):
    """Like --help: prints the JSON Schema of --config files and exits."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        entry.write_stdout(json.dumps(config_file_schema(parser), indent=2) + "\n")
        parser.exit()


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
    source = "a path, hf:user/name[@revision], s3://bucket/prefix or another reference of docs/sources.md"
    arguments = parser.add_argument_group("arguments")
    _add(arguments, "model", "MODEL", f"the fine-tuned model, a PEFT adapter, or a ready graph (.onnx, .pb): {source}")
    _add(arguments, "tokenizer", "TOKENIZER", "its tokenizer, a reference like MODEL; - for a ready graph")
    _add(arguments, "id2label", "ID2LABEL", "a JSON file with the labels, or - for the labels in the model's config")
    _add(arguments, "model_name", "MODEL_NAME", "name in the API and in the image's name (default: ensemble_model)")
    _add(arguments, "tag", "TAG", "the image's tag (default: latest)")
    _add(arguments, "max_batch_size", "MAX_BATCH_SIZE", "largest batch (default: 4)")
    options = parser.add_argument_group("options")
    _add_config(options)
    options.add_argument("--task", help=f"task of the model (default: {DEFAULT_TASK})")
    options.add_argument("--device", help=f"cpu: small image; gpu: NVIDIA's full image (default: {DEFAULT_DEVICE})")
    _add_layout(options)
    options.add_argument("--release", metavar="YY.MM", help=f"Triton release (default: {default_release()})")
    options.add_argument("--driver", metavar="VERSION", help="choose the release for this GPU driver, such as 535.104")
    options.add_argument(
        "--compute-capability", metavar="X.Y", help="choose the release for this GPU, such as 8.6 (default: nvidia-smi)"
    )
    options.add_argument("--gpus", metavar="LIST", help="GPUs to use: all (default), or numbers such as 0,1")
    options.add_argument("--opset", metavar="N", help="ONNX opset of the export (default: 18, or the release's newest)")
    _add_printing(options, "--list-releases", _ListReleases, "print all Triton releases and exit")
    options.add_argument("--base-image", metavar="IMAGE", help="take Triton from this image instead of NVIDIA's")
    options.add_argument("--slim-image", metavar="IMAGE", help="base of the cpu image (default: the release's Ubuntu)")
    options.add_argument(
        "--label",
        metavar="KEY=VALUE",
        action="append",
        help="label of the image, such as org.opencontainers.image.vendor=Example; may be repeated",
    )
    options.add_argument("--image", metavar="REPOSITORY", help="image name without tag (default: tritoned_MODEL_NAME)")
    for option in task_options().values():
        kind: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        options.add_argument(f"--{option.name.replace('_', '-')}", help=option.help, **kind)
    _add_models(options)
    options.add_argument(
        "--model-version",
        metavar="N",
        help="add version N to the versions built before (default: 1, alone)",
    )
    options.add_argument("--versions-of", metavar="TAG", help="take the earlier versions from the build of this tag")
    options.add_argument(
        "--version-policy", metavar="POLICY", help="versions to serve: all (default), latest:N or specific:N,N"
    )
    options.add_argument("--input-name", metavar="NAME", help="name of the served input, or USUAL=NAME[,USUAL=NAME]")
    options.add_argument("--output-name", metavar="NAME", help="name of the served output, or USUAL=NAME[,USUAL=NAME]")
    options.add_argument(
        "--step-name", metavar="STEP=NAME", help="model names of steps, such as text_preprocessing=tokenizer"
    )
    options.add_argument(
        "--max-length", metavar="TOKENS", help="truncate texts to this many (default: the model's limit)"
    )
    options.add_argument("--format", help=f"export format: onnx or torchscript (default: {DEFAULT_FORMAT})")
    options.add_argument(
        "--exporter",
        metavar="NAME",
        help="optimum or dynamo (default: optimum, or dynamo if only transformers 5 knows the model)",
    )
    _add_speed(options)
    options.add_argument("--sequence-length", metavar="TOKENS", help="pad and truncate every text to exactly this many")
    options.add_argument(
        "--input-dtype",
        metavar="DTYPE",
        help=f"type of the graph's inputs: INT64 or INT32 (default: {INPUT_DTYPES[0]})",
    )
    options.add_argument(
        "--fusion", help="transformers: fuse attention and normalization for a GPU with onnxruntime (default: none)"
    )
    options.add_argument("--fetch-timeout", metavar="SECONDS", help="time limit of each download (default: 600)")
    _add_permissions(options)
    options.add_argument(
        "--platform", metavar="LIST", help="linux/amd64, linux/arm64 or both with a comma (default: the base image's)"
    )
    add_push(options)
    _add_omissions(options)
    options.add_argument("--json", action="store_true", help="print the result as one JSON object")
    options.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_omissions(options: Any) -> None:
    options.add_argument("--no-image", action="store_true", help="stop after the model repository; needs no Docker")
    options.add_argument("--dry-run", action="store_true", help="print the plan and write nothing")
    options.add_argument("--no-cache", action="store_true", help="ignore all caches: fetch, convert and build again")
    options.add_argument("--no-verify", action="store_true", help="skip the boot proof of the built server")
    options.add_argument("--no-measure", action="store_true", help="do not measure the latency after the boot proof")


def _add_config(options: Any) -> None:
    options.add_argument(
        "--config", metavar="FILE.yaml", help="read arguments and options from a YAML file; or a list of builds"
    )
    options.add_argument(
        "--jobs", metavar="N", help="number of builds of a list that run at the same time (default: 1)"
    )
    _add_printing(options, "--print-config-schema", _PrintConfigSchema, "print the JSON Schema of that file and exit")


def _add_models(options: Any) -> None:
    options.add_argument("--adapter", metavar="REF", help="PEFT adapter to merge into MODEL, a reference like MODEL")
    options.add_argument(
        "--add-model", metavar="NAME=FILE", action="append", help="also serve this graph, as NAME; may be repeated"
    )
    options.add_argument(
        "--golden-inputs",
        metavar="FILE.npz",
        action="append",
        help="golden requests of a ready graph; [NAME=]FILE.npz, may be repeated",
    )
    for direction in ("inputs", "outputs"):
        options.add_argument(
            f"--{direction}",
            metavar="TENSORS",
            action="append",
            help=f"{direction} of a frozen TensorFlow graph (.pb); [NAME=]TENSOR,TENSOR, may be repeated",
        )


def _add_layout(options: Any) -> None:
    options.add_argument("--layout", help="fused: one model for all steps (default for cpu); ensemble: one per step")
    listed = ", ".join(APIS)
    options.add_argument("--api", metavar="NAMES", help=f"add routes of other APIs: {listed}, or several with commas")
    options.add_argument(
        "--engine", help=f"runtime of the graph: onnxruntime, openvino or tensorrt (default: {DEFAULT_ENGINE})"
    )


def _add_speed(options: Any) -> None:
    options.add_argument(
        "--precision", help="fp32 (default); int8 for a CPU; fp16 for a GPU; bf16 with openvino or tensorrt"
    )
    options.add_argument(
        "--min-agreement", metavar="SHARE", help="minimum agreement of a reduced precision with PyTorch (default: 0.99)"
    )
    options.add_argument(
        "--max-drift", metavar="DIFFERENCE", help="maximum difference of a score from PyTorch's (default: any)"
    )
    options.add_argument(
        "--eval-file",
        metavar="FILE",
        help="texts with right answers, for accuracy, agreement and drift: .tsv, .csv or .jsonl",
    )
    for knob in KNOBS.values():
        options.add_argument(knob.option, metavar=knob.metavar, help=knob.help)


def add_push(options: Any) -> None:
    """The options of a push, which `python -m utils.image` has too."""
    options.add_argument("--push", action="store_true", help="push the proven image to the registry in its name")
    options.add_argument("--move-tag", action="store_true", help="let --push move a tag that the registry has already")
    options.add_argument("--push-timeout", metavar="SECONDS", help="time limit of each push (default: 3600)")
    options.add_argument(
        "--sign-key", metavar="FILE", help="sign what --push releases with this private key: PEM, P-256 or Ed25519"
    )
    for direction, meaning in (("from", "reuse layers of"), ("to", "store layers for later builds in")):
        options.add_argument(
            f"--cache-{direction}",
            metavar="CACHE",
            action="append",
            help=f"{meaning} this cache, as docker build does; may be repeated",
        )


def _add_permissions(options: Any) -> None:
    options.add_argument(
        "--allow-pickle", action="store_true", help="load pickled weights; only from a source you trust"
    )
    options.add_argument("--allow-duplicate-labels", action="store_true", help="accept labels that occur twice")
    options.add_argument("--allow-placeholder-labels", action="store_true", help="accept LABEL_0, LABEL_1 ...")
    options.add_argument(
        "--accept-unknown",
        metavar="KEY",
        action="append",
        help="accept this unknown setting of the model's files; may be repeated",
    )


def _add(group: Any, name: str, metavar: str, text: str) -> None:
    group.add_argument(name, metavar=metavar, nargs="?", help=text)


def _add_printing(options: Any, name: str, action: type[argparse.Action], text: str) -> None:
    """An option that prints something and exits; it has no value."""
    options.add_argument(name, action=action, nargs=0, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, help=text)


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
