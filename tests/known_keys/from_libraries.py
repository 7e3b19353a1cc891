"""The generated tables of sources/known_keys/data: what the installed transformers and tokenizers read of a folder."""

import ast
import contextlib
import dataclasses
import importlib
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tests.in_version_5 import printed_by
from utils.host import environment
from utils.host.environments import PEFT
from utils.sources.adapter import UNMERGED
from utils.sources.supported_types import OF_TEXTS, SUPPORTED, supported
from utils.targets.exporters import DYNAMO, OPTIMUM

# The names of the config in model code, as in config.hidden_size or self.config.hidden_size.
CONFIGS = ("config", "self.config")


def converted(exporter: str) -> list[str]:
    """Every model type that an exporter converts for some task."""
    return sorted({name for task in {**SUPPORTED, **OF_TEXTS} for name in supported(exporter, task)})


def config_keys(exporter: str = OPTIMUM) -> dict[str, Any]:
    """data/config_keys*.json: the keys of every config, of each converted type, of their parts, and of other types."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    types: dict[str, set[str]] = {}
    every = _every_config(transformers.PretrainedConfig)
    elsewhere: set[str] = set()
    with _without_hub():
        for name in converted(exporter):
            _add_type(types, name, CONFIG_MAPPING[name])
        for name in CONFIG_MAPPING:
            elsewhere |= _of_class(CONFIG_MAPPING[name])
    elsewhere -= every
    return {
        "transformers": transformers.__version__,
        "every": _line(every),
        "types": {name: _line(keys - every) for name, keys in types.items()},
        "rope_scaling": _line(_constants_read(importlib.import_module("transformers.modeling_rope_utils"))),
        "elsewhere": _line(elsewhere),
    }


@contextlib.contextmanager
def _without_hub() -> Iterator[None]:
    """Some configs look up a model on the hub when they are made: the table must not depend on an answer."""
    import huggingface_hub.utils

    with mock.patch("huggingface_hub.constants.HF_HUB_OFFLINE", True):
        yield
    # A session that was opened in the block refuses every address; version 2 of the library checks each request.
    if hasattr(huggingface_hub.utils, "reset_sessions"):
        huggingface_hub.utils.reset_sessions()


def config_keys_5() -> dict[str, Any]:
    """The same of transformers 5, which another environment has; torch is this one's."""
    return dict(json.loads(printed_by(__name__)))


def _add_type(types: dict[str, set[str]], name: str, config_class: Any) -> None:
    """The type, and each part of its config as TYPE.PART."""
    types[name] = _of_class(config_class) | _read_by_model(config_class)
    for part, part_class in getattr(config_class, "sub_configs", {}).items():
        if part_class.__name__ != "AutoConfig":
            _add_type(types, f"{name}.{part}", part_class)


def _every_config(base: Any) -> set[str]:
    """The keys of PretrainedConfig: its parameters, those it pops from kwargs, and those it writes."""
    kwargs = _popped(base.__init__)
    return kwargs | set(base().to_dict()) | _parameters(base.__init__) | {"transformers_version"}


def _of_class(config_class: Any) -> set[str]:
    """The parameters of the class and of those above it, its attributes' other names, and what it writes."""
    keys: set[str] = set(config_class.attribute_map) | _written(config_class)
    for each in config_class.__mro__:
        if each.__module__.startswith("transformers.models."):
            made = [vars(each)[name] for name in ("__init__", "__post_init__") if name in vars(each)]
            keys |= {key for function in made for key in _parameters(function) | _popped(function)}
    if hasattr(config_class, "convert_rope_params_to_dict") and "rope_parameters" in keys:
        keys |= _popped(config_class.convert_rope_params_to_dict)  # of version 5: what files of version 4 have
    return keys - {"kwargs"}


def _written(config_class: Any) -> set[str]:
    """The keys that the class writes when it is saved; some classes need arguments."""
    try:
        return set(json.loads(config_class().to_json_string()))
    except Exception:
        return set()


def _parameters(function: Any) -> set[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {each.name for each in inspect.signature(function).parameters.values() if each.kind in kinds} - {"self"}


def _popped(function: Any) -> set[str]:
    """The keys in kwargs.pop("key") and kwargs.get("key")."""
    try:
        source = inspect.getsource(function)
    except OSError:  # a dataclass's, which is generated
        return set()
    return {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(textwrap.dedent(source)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("kwargs.pop", "kwargs.get")
        if isinstance(node.args[0], ast.Constant)
    }


def _read_by_model(config_class: Any) -> set[str]:
    """The attributes of the config that the type's own modules read: kwargs become attributes, too."""
    folder = Path(inspect.getfile(config_class)).parent
    found = set()
    for file in [*folder.glob("modeling_*.py"), *folder.glob("configuration_*.py")]:
        if not file.stem.startswith(("modeling_tf", "modeling_flax")):
            found |= set(_attributes(ast.parse(file.read_text(encoding="utf-8"))))
    methods = {name for name in dir(config_class) if not name.startswith("__")}
    return {name for name in found if name not in methods and not name.startswith("_")}


def _attributes(tree: ast.AST) -> Any:
    """Names read as config.NAME and getattr(config, "NAME", ...)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            if ast.unparse(node.value) in CONFIGS:
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            of, name, *_ = [*node.args, None, None]
            if of and ast.unparse(of) in CONFIGS and isinstance(name, ast.Constant):
                yield name.value


def _constants_read(module: Any) -> set[str]:
    """The keys of rope_scaling: rope_scaling["key"], rope_scaling.get("key"), and the sets of required and others."""
    keys = {"rope_type", "type"}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("required_keys", "optional_keys"):
            keys |= {str(each.value) for each in ast.walk(node.value) if isinstance(each, ast.Constant)}
    return keys


def _line(keys: set[str]) -> str:
    return " ".join(sorted(keys))


def tokenizer_keys() -> dict[str, Any]:
    """data/tokenizer_keys.json: of tokenizer_config.json by tokenizer class, and of the parts of tokenizer.json."""
    import tokenizers
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES, tokenizer_class_from_name
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase
    from transformers.tokenization_utils_fast import PreTrainedTokenizerFast

    every = {"added_tokens_decoder", "tokenizer_class", "extra_special_tokens"}
    every |= set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)
    for base in (PreTrainedTokenizerBase, PreTrainedTokenizerFast):
        every |= _parameters(base.__init__) | _popped(base.__init__)
    every |= _popped(PreTrainedTokenizerBase._from_pretrained)
    classes: dict[str, set[str]] = {}
    for name in {each for pair in TOKENIZER_MAPPING_NAMES.values() for each in pair if each}:
        found = tokenizer_class_from_name(name)
        if found is not None:
            classes.setdefault(name.removesuffix("Fast"), set()).update(_of_tokenizer(found))
    return {
        "tokenizers": tokenizers.__version__,
        "every": _line(every),
        "special_tokens": _line(set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)),
        "classes": {name: _line(keys - every) for name, keys in sorted(classes.items())},
        "tokenizer.json": {name: _line(keys) for name, keys in sorted(_parts().items())},
    }


def _of_tokenizer(found: Any) -> set[str]:
    keys: set[str] = set()
    for each in found.__mro__:
        if "__init__" in vars(each) and each.__module__.startswith("transformers.models."):
            keys |= _parameters(each.__init__) | _popped(each.__init__)
    return keys


def _parts() -> dict[str, set[str]]:
    """Part's place and type -> its keys, as the library writes them."""

    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    arguments: dict[Any, tuple[Any, ...]] = {
        models.Unigram: ([("a", 0.0)], 0, False),
        normalizers.Precompiled: (b"\0" * 4,),
        normalizers.Replace: ("a", "b"),
        normalizers.Prepend: ("a",),
        normalizers.Sequence: ([],),
        pre_tokenizers.Sequence: ([],),
        pre_tokenizers.Split: (Regex("a"), "isolated"),
        pre_tokenizers.CharDelimiterSplit: ("a",),
        processors.BertProcessing: (("a", 0), ("b", 1)),
        processors.RobertaProcessing: (("a", 0), ("b", 1)),
        processors.Sequence: ([],),
        decoders.Replace: ("a", "b"),
        decoders.Sequence: ([],),
    }
    places = {
        "model": (models, models.Model),
        "normalizer": (normalizers, normalizers.Normalizer),
        "pre_tokenizer": (pre_tokenizers, pre_tokenizers.PreTokenizer),
        "post_processor": (processors, processors.PostProcessor),
        "decoder": (decoders, decoders.Decoder),
    }
    found: dict[str, set[str]] = {}
    for place, (module, base) in places.items():
        for each in vars(module).values():
            if inspect.isclass(each) and issubclass(each, base) and each is not base:
                try:
                    made: Any = each(*arguments.get(each, ()))
                    content = json.loads(made.__getstate__())
                except ValueError as error:
                    assert each is normalizers.Precompiled, error  # no such table is small: its one key is known
                    content = {"type": "Precompiled", "precompiled_charsmap": ""}
                found[f"{place}.{content['type']}"] = set(content)
    whole = Tokenizer(models.BPE())
    whole.enable_truncation(8)
    whole.enable_padding()
    whole.add_tokens([AddedToken("a")])
    content = json.loads(whole.to_str())
    found["truncation"], found["padding"] = set(content["truncation"]), set(content["padding"])
    found["added_tokens"], found["file"] = set(content["added_tokens"][0]), set(content)
    return found


def adapter_keys() -> dict[str, Any]:
    """data/adapter_keys.json: the keys of every adapter's config, and of each type that can be merged."""
    environment.open_packages(PEFT)
    import peft
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    every = {each.name for each in dataclasses.fields(peft.PeftConfig)}
    types = {
        kind.value: {each.name for each in dataclasses.fields(config)} - every
        for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()
        if kind.value not in UNMERGED
    }
    return {
        "peft": peft.__version__,
        "every": " ".join(sorted(every)),
        "types": {kind: " ".join(sorted(types[kind])) for kind in sorted(types)},
    }


def written(content: dict[str, Any]) -> str:
    """The text of a generated file: one line per class."""

    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(config_keys(DYNAMO)))
