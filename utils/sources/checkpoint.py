"""A checkpoint's weights, looked at without loading any: are they there, whole, safe, and of a classifier.

Only what is certain is refused here; loading the model (utils/convert/reference_model.py) is the last word.
"""

import zipfile
from collections.abc import Iterator
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
SAVE_SAFELY = "load the model where you trust it and save it again with save_pretrained()"
# file pattern -> what it is; weights that are there, in a form this factory does not read
OTHER_FORMS = {
    "adapter_model.*": "the adapter of a PEFT fine-tuning; merge it (merge_and_unload()) and save the whole model",
    "tf_model.h5": "a TensorFlow checkpoint; load it with from_tf=True and save it with save_pretrained()",
    "flax_model.msgpack": "a Flax checkpoint; load it with from_flax=True and save it with save_pretrained()",
    "*.gguf": "a GGUF file; give the model it was made from",
    "*.onnx": "an ONNX graph; give the PyTorch model it was made from",
    "model*-of-*.safetensors": f"a shard without {SAFE_INDEX}; copy the index, too",
    "*.safetensors": f"a safetensors file that is not called {SAFE}; save the model again with save_pretrained()",
    "*model.pt": f"a bare PyTorch file; {SAVE_SAFELY}",
    "model.bin": f"a bare PyTorch file; {SAVE_SAFELY}",
}
# Of transformers' classes for an export task: the module that is the head -> model types that have it.
# Types that are not here (perceiver, say) are told when the model is loaded.
HEADS = {
    "text-classification": {
        "classifier": """albert bert big-bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra
            ernie esm ibert layoutlm layoutlmv3 lilt longformer markuplm megatron-bert mobilebert modernbert mpnet
            nystromformer rembert roberta roformer squeezebert xlm-roberta""",
        "score": """bloom gemma gemma2 gemma3 gpt2 gpt-bigcode gpt-neo gpt-neox gptj llama mistral mpt opt phi phi3
            qwen2 qwen3 qwen3-moe smollm3""",
        "classification_head": "bart bigbird-pegasus mbart",
        "sequence_summary": "flaubert xlm",
        "logits_proj": "xlnet",
    },
    "token-classification": {
        "classifier": """albert bert big-bird bloom camembert convbert data2vec-text deberta deberta-v2 distilbert
            electra esm falcon flaubert gpt2 gpt-bigcode ibert megatron-bert mobilebert modernbert mpnet mpt
            nystromformer rembert roberta roformer squeezebert xlm xlm-roberta""",
        "score": "qwen2 qwen3-moe",
    },
}
# The ends of such classes' names. Heads of some have modules of one name, so that one would load as another.
CLASSES = {"text-classification": "ForSequenceClassification", "token-classification": "ForTokenClassification"}
OTHER_CLASSES = ("ForMultipleChoice", "ForQuestionAnswering")
# What wrappers of a model put before the names of its tensors.
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


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The tensors of a checkpoint: name -> shape, or None where only an index has named them yet."""

    source: Path
    shapes: dict[str, tuple[int, ...] | None]


def read_checkpoint(folder: Path, *, allow_pickle: bool) -> Checkpoint | None:
    """The tensors in a whole folder; None for pickled weights, which nobody can look into without loading them.

    SourceError (exit 3) when weights are missing, damaged or not allowed. The order is transformers' own.
    """
    if exists(folder / SAFE):
        return Checkpoint(source=folder / SAFE, shapes=dict(read_header(folder / SAFE)))
    if exists(folder / SAFE_INDEX):
        named = read_index(folder / SAFE_INDEX)
        return Checkpoint(source=named.source, shapes=dict(_of_shards(folder, named.source)))
    for name in (PICKLED, PICKLED_INDEX):
        if exists(folder / name):
            _check_pickled(folder / name, allowed=allow_pickle)
            return None
    raise SourceError(_without_weights(folder, allow_pickle=allow_pickle))


def read_index(file: Path) -> Checkpoint:
    """The tensors an index names; a remote checkpoint's index comes before any of its shards."""
    return Checkpoint(source=file, shapes=dict.fromkeys(_weight_map(file)))


def _weight_map(file: Path) -> dict[str, str]:
    content = read_json(file, "download or copy it again")
    found = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not found or not all(isinstance(shard, str) for shard in found.values()):
        raise SourceError(f"{str(file)!r} has no weight_map that names the shards; save the model again")
    outside = sorted(shard for shard in found.values() if Path(shard).name != shard)
    if outside:
        raise SourceError(f"{str(file)!r} names the shard {outside[0]!r}, which is no file beside it; save the model")
    return found


def _of_shards(folder: Path, index: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    weight_map = _weight_map(index)
    for shard in sorted(set(weight_map.values())):
        if not exists(folder / shard):
            raise SourceError(f"the shard {shard!r} that {str(index)!r} names is missing; download or copy it, too")
        shapes = read_header(folder / shard)
        lacking = sorted(name for name, place in weight_map.items() if place == shard and name not in shapes)
        if lacking:
            raise SourceError(
                f"{str(folder / shard)!r} lacks the tensor {lacking[0]!r} that {index.name} places in it; "
                "the shards are of different models: copy all of them again"
            )
        yield from shapes.items()


def _check_pickled(file: Path, *, allowed: bool) -> None:
    if not allowed:
        raise SourceError(
            f"the weights in {str(file.parent)!r} are a pickle ({file.name}), and loading one can run code that came "
            f"with it; {SAVE_SAFELY}, or give --allow-pickle"
        )
    shards = sorted(set(_weight_map(file).values())) if file.name == PICKLED_INDEX else [file.name]
    for shard in shards:
        place = file.parent / shard
        if not exists(place):
            raise SourceError(f"the shard {shard!r} that {str(file)!r} names is missing; download or copy it, too")
        if not (place.is_file() and zipfile.is_zipfile(place)):  # what torch.save() has written since 2020
            raise SourceError(f"{str(place)!r} is cut short or no PyTorch checkpoint; download or copy it again")


def _without_weights(folder: Path, *, allow_pickle: bool) -> str:
    for pattern, meaning in OTHER_FORMS.items():
        if found := sorted(folder.glob(pattern)):
            return f"MODEL {str(folder)!r} has no weights this factory reads: {found[0].name} is {meaning}"
    pickles = "" if allow_pickle else " (pickled ones, pytorch_model.bin, are not asked for without --allow-pickle)"
    return f"MODEL {str(folder)!r} has no weights; {SAFE} (or its shards) must lie beside config.json{pickles}"


def weight_bytes(model_folder: Path) -> int:
    """Bytes of the weight files, of the larger format where there are two; of a ready graph, its file's."""
    if model_folder.is_file():
        return model_folder.stat().st_size
    return max(sum(path.stat().st_size for path in model_folder.glob(pattern)) for pattern in WEIGHTS)


def check_names(checkpoint: Checkpoint) -> None:
    """SourceError for tensors that are named as a wrapper of the model names them: transformers would find none."""
    for mark, wrapper in WRAPPERS.items():
        named = [name for name in checkpoint.shapes if name.startswith(mark)]
        if mark != "module.":  # a submodule alone can be compiled; one that is called so by its class is no wrapper
            named += [name for name in checkpoint.shapes if f".{mark}" in name]
        if named and (mark != "module." or len(named) == len(checkpoint.shapes)):
            attribute = "module" if mark == "module." else "_orig_mod"
            mended = f"save model.{attribute} with save_pretrained()"
            if line := UNWRAP.get(checkpoint.source.name):
                mended = f"run this in the model's folder, or {mended}: {line}"
            raise SourceError(
                f"{str(checkpoint.source)!r} names its tensors with the prefix {mark!r} of {wrapper} ({named[0]}), so "
                f"transformers would not find them; {mended}"
            )


def check_class(config: ModelConfig, requirements: SourceRequirements) -> None:
    """SourceError for a model that was saved with the head of another task: its weights might fit all the same."""
    wanted = CLASSES.get(requirements.export_task)
    others = tuple(each for each in (*CLASSES.values(), *OTHER_CLASSES) if each != wanted)
    if wanted and config.architectures and all(name.endswith(others) for name in config.architectures):
        raise SourceError(
            f"{str(config.file)!r} is of a {config.architectures[0]} (architectures), and the task wants a class that "
            f"ends in {wanted}; give such a model, or choose another --task"
        )


def check_head(checkpoint: Checkpoint, config: ModelConfig, requirements: SourceRequirements) -> None:
    """SourceError for a checkpoint that certainly has no head for the task, or one of another size."""
    head = _head_of(config.model_type, requirements.export_task)
    if head is None:
        return
    names = [name for name in checkpoint.shapes if head in name.split(".")]
    if not names:
        raise SourceError(
            f"{str(checkpoint.source)!r} holds no classification head (no tensor of {head!r}, where the head of a "
            f"{config.model_type} classifier is); give the fine-tuned model, not its base"
        )
    for name in names:
        shape = checkpoint.shapes[name]
        ends = ([head, "weight"], [head, "out_proj", "weight"], [head, "summary", "weight"])
        is_last = any(name.split(".")[-len(end) :] == end for end in ends)
        if is_last and shape is not None and len(shape) == 2 and shape[0] != config.head_size:
            raise SourceError(
                f"the head in {str(checkpoint.source)!r} has {shape[0]} outputs ({name}) but config.json speaks of "
                f"{config.head_size}; config and weights are of different models: copy both again"
            )


def _head_of(model_type: str, export_task: str) -> str | None:
    wanted = model_type.replace("_", "-")
    return next((head for head, types in HEADS.get(export_task, {}).items() if wanted in types.split()), None)


def embedding_rows(checkpoint: Checkpoint | None, config: ModelConfig) -> int | None:
    """How many token ids the model knows: its embedding's rows, else what config.json says, else None."""
    shapes = checkpoint.shapes if checkpoint else {}
    rows = [
        shape[0]
        for name, shape in shapes.items()
        if shape is not None and len(shape) == 2 and name.endswith(tuple(f"{each}.weight" for each in EMBEDDINGS))
    ]
    return max(rows) if rows else config.vocab_size
