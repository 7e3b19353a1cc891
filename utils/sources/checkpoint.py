"""Checks a checkpoint's weights without loading them: whether they exist, are complete, safe, and have a head.

Only certain faults are refused here; loading the model (utils/convert/reference_model.py) finds the others.
"""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json
from utils.sources.model_config import ModelConfig
from utils.sources.requirements import SourceRequirements
from utils.sources.safetensors_header import read_header
from utils.sources.storage import WEIGHTS

SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
SAVE_SAFELY = "load the model in a trusted environment and save it again with save_pretrained()"
# file pattern -> what it is: weights in formats that are not supported
OTHER_FORMS = {
    "adapter_model.*": "the adapter of a PEFT fine-tuning; copy its adapter_config.json, too",
    "tf_model.h5": "a TensorFlow checkpoint; load it with from_tf=True and save it with save_pretrained()",
    "flax_model.msgpack": "a Flax checkpoint; load it with from_flax=True and save it with save_pretrained()",
    "*.gguf": "a GGUF file; use the model it was converted from",
    "*.onnx": "an ONNX graph; use the PyTorch model it was exported from",
    "model*-of-*.safetensors": f"a shard without {SAFE_INDEX}; copy the index, too",
    "*.safetensors": f"a safetensors file with another name than {SAFE}; save the model again with save_pretrained()",
    "*model.pt": f"a bare PyTorch file; {SAVE_SAFELY}",
    "model.bin": f"a bare PyTorch file; {SAVE_SAFELY}",
}
# For an export task: the name of the head's module in the classes of transformers -> their model types.
# Other types (perceiver, say) are checked when the model is loaded.
HEADS = {
    "text-classification": {
        "classifier": """albert bert big-bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra
            ernie esm eurobert gte ibert jina-embeddings-v3 layoutlm layoutlmv3 lilt longformer markuplm megatron-bert
            mobilebert modernbert modernbert-decoder mpnet nomic-bert nystromformer rembert roberta roformer squeezebert
            xlm-roberta""",
        "score": """arcee biogpt bloom exaone4 falcon gemma gemma2 gemma3 gemma3-text glm glm4 gpt2 gpt-bigcode gpt-neo
            gpt-neox gptj helium llama ministral ministral3 mistral mpt nemotron olmo olmo2 olmo3 opt phi phi3 qwen2
            qwen3 qwen3-moe smollm3""",
        "classification_head": "bart bigbird-pegasus mbart",
        "sequence_summary": "flaubert xlm",
        "logits_proj": "xlnet",
    },
    "token-classification": {
        "classifier": """albert bert big-bird bloom camembert convbert data2vec-text deberta deberta-v2 distilbert
            electra ernie esm eurobert falcon flaubert gpt2 gpt-bigcode gte ibert jina-embeddings-v3 megatron-bert
            mobilebert modernbert mpnet mpt nomic-bert nystromformer rembert roberta roformer squeezebert xlm
            xlm-roberta""",
        "score": "arcee gemma gemma2 llama ministral3 mistral qwen2 qwen3 qwen3-moe",
    },
}
# The suffixes of these class names. Heads of different tasks can have the same module name and load as each other.
CLASSES = {"text-classification": "ForSequenceClassification", "token-classification": "ForTokenClassification"}
OTHER_CLASSES = ("ForMultipleChoice", "ForQuestionAnswering")
# The prefixes that wrappers of a model add to tensor names.
WRAPPERS = {"_orig_mod.": "torch.compile", "_fsdp_wrapped_module.": "FSDP", "module.": "DataParallel"}
_NAMED = "{re.sub(r'^module\\.|(_orig_mod|_fsdp_wrapped_module)\\.', '', name): tensor.clone() for name, tensor in "
# Run in the model's folder.
UNWRAP = {
    SAFE: f"""python3 -c "import re, safetensors.torch as s; f = '{SAFE}'; """
    f"""s.save_file({_NAMED}s.load_file(f).items()}}, f, {{'format': 'pt'}})\"""",
    PICKLED: f"""python3 -c "import re, torch; f = '{PICKLED}'; """
    f"""torch.save({_NAMED}torch.load(f, weights_only=True).items()}}, f)\"""",
}
EMBEDDINGS = ("word_embeddings", "wte", "embed_tokens", "tok_embeddings", "word_embedding", "embed_in", "tokens_embed")
EMBEDDING_WEIGHTS = tuple(f"{name}.weight" for name in EMBEDDINGS)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The tensors of a checkpoint: name -> shape, or None if only the index is known."""

    source: Path
    shapes: dict[str, tuple[int, ...] | None]


def read_checkpoint(folder: Path, *, allow_pickle: bool) -> Checkpoint | None:
    """The tensors in a whole folder; None for pickled weights, which cannot be inspected without loading.

    SourceError (exit 3) when weights are missing, damaged or not allowed. The order of formats is that of transformers.
    """
    if exists(folder / SAFE):
        return Checkpoint(source=folder / SAFE, shapes=dict(read_header(folder / SAFE)))
    if exists(folder / SAFE_INDEX):
        return Checkpoint(source=folder / SAFE_INDEX, shapes=dict(_of_shards(folder / SAFE_INDEX)))
    for name in (PICKLED, PICKLED_INDEX):
        if exists(folder / name):
            _check_pickled(folder / name, allowed=allow_pickle)
            return None
    raise SourceError(_without_weights(folder, allow_pickle=allow_pickle))


def read_index(file: Path) -> Checkpoint:
    """The tensors in an index, which is fetched before any of the shards."""
    return Checkpoint(source=file, shapes=dict.fromkeys(_weight_map(file)))


def _weight_map(file: Path) -> dict[str, str]:
    content = read_json(file, "download or copy it again")
    found = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(shard, str) for shard in found.values()):
        raise SourceError(f"{str(file)!r} has no weight_map with the shard of each tensor; save the model again")
    outside = sorted(shard for shard in found.values() if Path(shard).name != shard)
    if outside:
        raise SourceError(f"{str(file)!r} names the shard {outside[0]!r} in another folder; save the model again")
    return found


def _shards(index: Path) -> Iterator[Path]:
    for shard in sorted(set(_weight_map(index).values())):
        if not exists(index.parent / shard):
            raise SourceError(f"the shard {shard!r} in {str(index)!r} is missing; download or copy it, too")
        yield index.parent / shard


def _of_shards(index: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    weight_map = _weight_map(index)
    for shard in _shards(index):
        shapes = read_header(shard)
        lacking = sorted(name for name, place in weight_map.items() if place == shard.name and name not in shapes)
        if lacking:
            raise SourceError(
                f"{str(shard)!r} lacks the tensor {lacking[0]!r}, which is there according to {index.name}; "
                "the shards belong to different models: copy all of them again"
            )
        yield from shapes.items()


def _check_pickled(file: Path, *, allowed: bool) -> None:
    if not allowed:
        raise SourceError(
            f"the weights in {str(file.parent)!r} are a pickle ({file.name}); loading a pickle can run "
            f"code in it; {SAVE_SAFELY}, or add --allow-pickle"
        )
    for shard in _shards(file) if file.name == PICKLED_INDEX else [file]:
        if not (shard.is_file() and zipfile.is_zipfile(shard)):  # what torch.save() has written since 2020
            raise SourceError(f"{str(shard)!r} is truncated or not a PyTorch checkpoint; download or copy it again")


def _without_weights(folder: Path, *, allow_pickle: bool) -> str:
    for pattern, meaning in OTHER_FORMS.items():
        if found := sorted(folder.glob(pattern)):
            return f"MODEL {str(folder)!r} has no supported weights: {found[0].name} is {meaning}"
    pickles = "" if allow_pickle else " (pytorch_model.bin is fetched only with --allow-pickle)"
    return f"MODEL {str(folder)!r} has no weights; {SAFE} (or its shards) must be beside config.json{pickles}"


def weight_bytes(model_folder: Path) -> int:
    """Bytes of the weight files, of the larger format where there are two; of a ready graph, its file's."""
    if model_folder.is_file():
        return model_folder.stat().st_size
    return max(sum(path.stat().st_size for path in model_folder.glob(pattern)) for pattern in WEIGHTS)


def check_names(checkpoint: Checkpoint) -> None:
    """SourceError for tensor names with the prefix of a wrapper class: transformers does not find these tensors."""
    for mark, wrapper in WRAPPERS.items():
        named = [name for name in checkpoint.shapes if name.startswith(mark)]
        if mark != "module.":  # a submodule can be compiled by itself; a class may have a submodule named "module"
            named += [name for name in checkpoint.shapes if f".{mark}" in name]
        if named and (mark != "module." or len(named) == len(checkpoint.shapes)):
            attribute = "module" if mark == "module." else "_orig_mod"
            remedy = f"save model.{attribute} with save_pretrained()"
            if line := UNWRAP.get(checkpoint.source.name):
                remedy = f"run this in the model's folder, or {remedy}: {line}"
            raise SourceError(
                f"{str(checkpoint.source)!r} has tensor names with the prefix {mark!r} of {wrapper} ({named[0]}); "
                f"transformers does not find them; {remedy}"
            )


def check_class(config: ModelConfig, requirements: SourceRequirements) -> None:
    """SourceError for a model saved with the head of another task, even if its weights fit."""
    if requirements.sentences and requirements.export_task == "text-classification":
        _refuse_language_model(config)
    suffix = CLASSES.get(requirements.export_task)
    others = tuple(each for each in (*CLASSES.values(), *OTHER_CLASSES) if each != suffix)
    if suffix and config.architectures and all(name.endswith(others) for name in config.architectures):
        raise SourceError(
            f"{str(config.file)!r} has the class {config.architectures[0]} (architectures); this task needs a class "
            f"ending in {suffix}; choose such a model, or another --task"
        )


def _refuse_language_model(config: ModelConfig) -> None:
    """Such rerankers are published as language models: sentence-transformers 6 subtracts their logits of yes and no."""
    if config.architectures and config.architectures[0].endswith(("ForCausalLM", "LMHeadModel")):
        raise SourceError(
            f"{str(config.file)!r} has the class {config.architectures[0]} (architectures): a reranker that scores the "
            "next token, yes or no, after a chat template; this task serves classification heads: use the form of the "
            "model with one (ForSequenceClassification; Qwen3 rerankers have it under names ending in -seq-cls), and "
            "send texts in the model's template"
        )


def check_head(checkpoint: Checkpoint, config: ModelConfig, requirements: SourceRequirements) -> None:
    """SourceError for a checkpoint without a head for the task, or with one of another size, if that is certain."""
    head = _head_of(config.model_type, requirements.export_task)
    if head is None:
        return
    if not any(head in name.split(".") for name in checkpoint.shapes):
        raise SourceError(
            f"{str(checkpoint.source)!r} has no classification head (no tensor of {head!r}, the head of a "
            f"{config.model_type} classifier); use the fine-tuned model, not its base model"
        )
    for name, outputs in head_outputs(checkpoint.shapes, config.model_type, requirements.export_task).items():
        if outputs != config.head_size:
            raise SourceError(
                f"the head in {str(checkpoint.source)!r} has {outputs} outputs ({name}) but config.json has "
                f"{config.head_size}; config and weights belong to different models: copy both again"
            )


def head_outputs(shapes: Mapping[str, tuple[int, ...] | None], model_type: str, export_task: str) -> dict[str, int]:
    """The outputs of the head by the name of its last tensor; {} where that is not certain."""
    head = _head_of(model_type, export_task)
    ends = ([head, "weight"], [head, "out_proj", "weight"], [head, "summary", "weight"])
    return {
        name: shape[0]
        for name, shape in shapes.items()
        if shape is not None and len(shape) == 2 and any(name.split(".")[-len(end) :] == end for end in ends)
    }


def _head_of(model_type: str, export_task: str) -> str | None:
    name = model_type.replace("_", "-")
    return next((head for head, types in HEADS.get(export_task, {}).items() if name in types.split()), None)


def embedding_rows(checkpoint: Checkpoint | None, config: ModelConfig) -> int | None:
    """The number of token ids of the model: its embedding's rows, else vocab_size in config.json, else None."""
    shapes = checkpoint.shapes if checkpoint else {}
    rows = [
        shape[0]
        for name, shape in shapes.items()
        if shape is not None and len(shape) == 2 and name.endswith(EMBEDDING_WEIGHTS)
    ]
    return max(rows) if rows else config.vocab_size
