"""The model types that each exporter converts, as tables, and the exporter that a build chooses for its model.

A build refuses a type before it fetches weights. tests/families/test_walk.py compares optimum's table with its own
list. tests/families/test_walk_of_5.py converts every type of transformers 5 and writes dynamo's table.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from utils.host.errors import ExportError, SourceError
from utils.host.json_file import read_json_object
from utils.sources.config_of_version_5 import for_version_4
from utils.sources.known_keys.folder import unread_in_model
from utils.targets.exporters import DYNAMO, EXPORTERS, OPTIMUM

# Export task -> model types, as config.json names them.
SUPPORTED = {
    "text-classification": (
        "albert", "bart", "bert", "big_bird", "bigbird_pegasus", "bloom", "camembert", "convbert", "data2vec-text",
        "deberta", "deberta-v2", "distilbert", "electra", "esm", "flaubert", "gemma", "gemma2", "gemma3", "gpt2",
        "gpt_bigcode", "gpt_neo", "gpt_neox", "gptj", "ibert", "llama", "mbart", "megatron-bert",
        "mistral", "mobilebert", "modernbert", "mpnet", "mpt", "nystromformer", "opt", "perceiver", "phi", "phi3",
        "qwen2", "qwen3", "qwen3_moe", "rembert", "roberta", "roformer", "smollm3", "squeezebert", "xlm", "xlm-roberta",
    ),
    "question-answering": (
        "albert", "bart", "bert", "big_bird", "bigbird_pegasus", "camembert", "convbert", "data2vec-text", "deberta",
        "deberta-v2", "distilbert", "electra", "falcon", "flaubert", "gptj", "ibert", "mbart", "megatron-bert",
        "mobilebert", "mpnet", "nystromformer", "opt", "rembert", "roberta", "roformer", "splinter", "squeezebert",
        "xlm", "xlm-roberta",
    ),
    "token-classification": (
        "albert", "bert", "big_bird", "bloom", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2",
        "distilbert", "electra", "esm", "falcon", "flaubert", "gpt2", "gpt_bigcode", "ibert", "megatron-bert",
        "mobilebert", "modernbert", "mpnet", "mpt", "nystromformer", "qwen2", "qwen3_moe", "rembert", "roberta",
        "roformer", "squeezebert", "xlm", "xlm-roberta",
    ),
}  # fmt: skip
# For a task that the exporter also has for images, audio or tokenizers without a fast form: the types that are served.
OF_TEXTS = {
    "fill-mask": (
        "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
        "electra", "ibert", "megatron-bert", "mobilebert", "modernbert", "mpnet", "nystromformer", "rembert", "roberta",
        "squeezebert", "xlm-roberta",
    ),
    "feature-extraction": (
        "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
        "electra", "ibert", "megatron-bert", "mobilebert", "modernbert", "mpnet", "nystromformer", "rembert",
        "roberta", "roformer", "squeezebert", "xlm-roberta",
    ),
}  # fmt: skip
# {export task: {"served": types, "single": those of them for MAX_BATCH_SIZE 1 only, "refused": {type: why}}} of the
# exporter `dynamo`, and the types that transformers 4 lacks: what tests/families/test_walk_of_5.py found and wrote.
FOUND = Path(__file__).parent / "types_of_dynamo.json"
OF_DYNAMO = json.loads(FOUND.read_text(encoding="utf-8"))
ONLY_VERSION_5 = tuple(OF_DYNAMO["only_version_5"].split())
BY_DYNAMO = {task: tuple(found["served"].split()) for task, found in OF_DYNAMO["tasks"].items()}
# Tasks that an exporter converts no type for.
UNSERVED = {
    DYNAMO: {"question-answering": "transformers 5 has no pipeline for it, whose answers an image is compared with"}
}
# Types that optimum converts, and why their graphs cannot serve texts.
OF_OPTIMUM = {
    "layoutlm": "it reads more than text: the position of each word on the page (bbox)",
    "layoutlmv3": "it reads more than text: the page image and the position of each word (pixel_values, bbox)",
    "lilt": "it reads more than text: the position of each word on the page (bbox)",
    "longformer": "its exported graph fails in ONNX Runtime",
    "markuplm": "it reads more than text: the XPath of each word in a web page (xpath_tags_seq, xpath_subs_seq)",
}
# For each exporter and task: types that transformers knows, and why they cannot be served.
REFUSED = {
    OPTIMUM: dict.fromkeys((*SUPPORTED, *OF_TEXTS), OF_OPTIMUM),
    DYNAMO: {task: dict(found["refused"]) for task, found in OF_DYNAMO["tasks"].items()},
}


def supported(exporter: str, export_task: str) -> tuple[str, ...]:
    """The types that an exporter converts for a task."""
    return (BY_DYNAMO if exporter == DYNAMO else {**OF_TEXTS, **SUPPORTED}).get(export_task, ())


def refused(exporter: str, export_task: str) -> Mapping[str, str]:
    """{type: why} of the types that transformers knows for a task and whose graphs cannot be served."""
    return REFUSED[exporter].get(export_task, {})


def converts(exporter: str, model_type: str, export_task: str) -> bool:
    """Whether an exporter converts a type, which may be written with dashes or underscores."""
    names = {_plain(name) for name in supported(exporter, export_task)}
    return _plain(model_type) in names - {_plain(name) for name in refused(exporter, export_task)}


def _plain(model_type: str) -> str:
    return model_type.replace("_", "-")


def require_supported(model_type: str, export_task: str, exporter: str | None = None) -> str:
    """The exporter: `exporter`, or the first that converts the type.

    ExportError (exit 4) for a type that it cannot serve; it lists those that it can.
    """
    allowed = (exporter,) if exporter else EXPORTERS
    chosen = next((each for each in allowed if converts(each, model_type, export_task)), None)
    if chosen:
        return chosen
    others = [each for each in EXPORTERS if converts(each, model_type, export_task)]
    remedy = f"leave out --exporter: {others[0]} converts it" if others else "use another model type"
    if exporter and (why := UNSERVED.get(exporter, {}).get(export_task)):
        raise ExportError(f"the exporter {exporter} is not for {export_task}: {why}; {remedy}")
    known = [{_plain(name): why for name, why in refused(each, export_task).items()} for each in allowed]
    reasons = [each[_plain(model_type)] for each in known if _plain(model_type) in each]
    if reasons:
        raise ExportError(f"model type {model_type!r} cannot be served: {reasons[0]}; {remedy}")
    if not others:
        remedy = f"it supports {', '.join(sorted({name for each in allowed for name in supported(each, export_task)}))}"
    named = f" {exporter}" if exporter else ""
    raise ExportError(f"the exporter{named} cannot convert model type {model_type!r} for {export_task}; {remedy}")


def choose_exporter(folder: Path, export_task: str, requested: str | None) -> str:
    """A row of targets/exporters.py for `folder`/config.json; ExportError (4) for a type that it cannot convert.

    Without an option it is optimum, unless transformers 4 lacks the type or a setting that transformers 5 wrote.
    """
    file = folder / "config.json"
    content = read_json_object(file, "save the model again")
    model_type = str(content.get("model_type"))
    if requested is None:
        both = converts(DYNAMO, model_type, export_task) and converts(OPTIMUM, model_type, export_task)
        requested = DYNAMO if both and _needs_version_5(folder, content) else None
    return require_supported(model_type, export_task, requested)


def _needs_version_5(folder: Path, content: dict[str, object]) -> bool:
    """Whether transformers 5 wrote a setting into config.json that transformers 4 cannot compute or does not know."""
    try:
        for_version_4(content, "config.json")
    except SourceError:
        return True
    if not str(content.get("transformers_version", "")).startswith("5."):
        return False
    return bool(_refused(folder, OPTIMUM) - _refused(folder, DYNAMO))


def _refused(folder: Path, exporter: str) -> set[str]:
    unread = unread_in_model(folder, sentences=False, exporter=exporter)
    return {each.setting.name for each in unread if each.refused}
