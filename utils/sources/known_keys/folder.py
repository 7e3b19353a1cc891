"""Finds the unread settings in the files of a model, a tokenizer and a label map."""

import os
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from typing import Any

from utils.host.json_file import exists, read_json, read_json_object
from utils.sources.known_keys import tables
from utils.sources.known_keys.judge import Known, Setting, UnreadSetting, unread_setting
from utils.targets.exporters import OPTIMUM

REMEDY = "copy the folder again"
SENTENCE_FILES = {
    "config_sentence_transformers.json": "config_sentence_transformers.json",
    "sentence_*_config.json": "sentence_bert_config.json",
    **{
        f"[0-9]*_{kind}/config.json": f"{kind}/config.json"
        for kind in ("Pooling", "Normalize", "Dense", "LayerNorm", "SpladePooling")
    },
    "config_setfit.json": "config_setfit.json",
}
ROPE, SENTENCES = "rope_scaling", "sentence_transformers"


def unread_in_model(folder: Path, *, sentences: bool, exporter: str = OPTIMUM) -> Iterator[UnreadSetting]:
    """In config.json, as the exporter's transformers reads it, and the files beside it.

    `sentences`: the task also follows the files of sentence-transformers.
    """
    file = folder / "config.json"
    of_config = _of_config(file, read_json_object(file, REMEDY), exporter)
    return _named("MODEL", folder, chain(of_config, _of_sentences(folder) if sentences else ()))


def unread_in_adapter(folder: Path, argument: str, content: dict[str, Any]) -> Iterator[UnreadSetting]:
    """In adapter_config.json (`content`), which PEFT reads and of which it ignores what it does not know."""
    kind = "adapter_config.json"
    known = Known(read=tables.adapter_keys(str(content["peft_type"])), sections=(kind,), strict=True)
    return _named(argument, folder, _of(folder / kind, kind, content, known))


def unread_in_tokenizer(folder: Path, content: dict[str, Any]) -> Iterator[UnreadSetting]:
    """In tokenizer_config.json, special_tokens_map.json and tokenizer.json (`content`; {} if there is none)."""
    return _named("TOKENIZER", folder, _of_tokenizer(folder, content))


def unread_in_labels(file: Path, content: Any) -> Iterator[UnreadSetting]:
    """In a label file with more than the map itself. A config.json belongs to a model and is not checked here."""
    maps = [content.get(name) for name in ("id2label", "label2id")] if isinstance(content, dict) else []
    if file.name == "config.json" or not any(isinstance(each, dict | list) for each in maps):
        return iter(())
    return _named("ID2LABEL", file.parent, _of(file, "label file", content, Known(sections=("label file",))))


def _named(argument: str, folder: Path, unread: Iterator[UnreadSetting]) -> Iterator[UnreadSetting]:
    """Replaces the folder, which may be a download, by the argument's name."""
    for each in unread:
        file = os.path.relpath(each.setting.file, folder)
        yield replace(each, setting=replace(each.setting, file=f"{argument}'s {file}"))


def newer_writer(config: dict[str, Any], reader: str) -> str | None:
    """The version that wrote a config.json, if its major or minor number is above that of `reader`."""
    written = str(config.get("transformers_version") or "")
    return written if _minor(written) > _minor(reader) else None


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split(".")[:2] if each.isdecimal() and len(each) < 10)


def _of_config(file: Path, config: dict[str, Any], exporter: str) -> Iterator[UnreadSetting]:
    model_type, reader = str(config.get("model_type")), tables.transformers_version(exporter)
    sections = (f"config.json: {model_type}", "config.json")
    elsewhere = tables.words(tables.CONFIG_KEYS[exporter], "elsewhere")

    def known(read: frozenset[str]) -> Known:
        newer = newer_writer(config, reader)
        return Known(read=read, elsewhere=elsewhere, sections=sections, newer=newer, reader=reader)

    yield from _of(file, "config.json", config, known(tables.config_keys(exporter, model_type) or elsewhere))
    for part, value in config.items():
        if isinstance(value, dict) and (keys := tables.config_keys(exporter, model_type, part)):
            yield from _of(file, "config.json", value, known(keys), f"{part}.")
            yield from _of_rope(file, value, exporter, f"{part}.")
    yield from _of_rope(file, config, exporter)
    if isinstance(own := config.get(SENTENCES), dict):
        strict = Known(sections=(f"config.json: {SENTENCES}",), strict=True)
        yield from _of(file, "config.json", own, strict, f"{SENTENCES}.")


def _of_rope(file: Path, config: dict[str, Any], exporter: str, place: str = "") -> Iterator[UnreadSetting]:
    scaling = config.get(ROPE)
    if isinstance(scaling, dict):
        known = Known(read=tables.words(tables.CONFIG_KEYS[exporter], "rope_scaling"), strict=True)
        yield from _of(file, "config.json", scaling, known, f"{place}{ROPE}.")


def _of_sentences(folder: Path) -> Iterator[UnreadSetting]:
    """Before version 2 the model was in 0_Transformer, below modules.json."""
    root = folder.parent if fnmatch(folder.name, "[0-9]*_Transformer") else folder
    if not exists(root / "modules.json"):
        return
    modules = read_json(root / "modules.json", REMEDY)
    for module in modules if isinstance(modules, list) else []:
        if isinstance(module, dict):
            known = Known(sections=("modules.json",), strict=True)
            yield from _of(root / "modules.json", "modules.json", module, known)
    for pattern, kind in SENTENCE_FILES.items():
        for file in sorted({*root.glob(pattern), *folder.glob(pattern)}):
            yield from _of_object(file, kind, Known(sections=(kind,), strict=True))


def _of_tokenizer(folder: Path, content: dict[str, Any]) -> Iterator[UnreadSetting]:
    config = read_json_object(folder / "tokenizer_config.json", REMEDY)
    kind, extra = "tokenizer_config.json", config.get("extra_special_tokens")
    tokens = frozenset(extra) if isinstance(extra, dict) else frozenset()
    reader = tables.transformers_version(OPTIMUM)
    known = Known(
        read=tables.tokenizer_keys(str(config.get("tokenizer_class") or "")) | tokens,
        elsewhere=tables.tokenizer_keys_elsewhere(),
        sections=(kind,),
        newer=newer_writer(read_json_object(folder / "config.json", REMEDY), reader),
        reader=reader,
    )
    yield from _of(folder / kind, kind, config, known)
    special = "special_tokens_map.json"
    read = tables.words("tokenizer_keys.json", "special_tokens") | tokens
    yield from _of_object(folder / special, special, Known(read=read, sections=(special,), strict=True))
    yield from _of_tokenizer_json(folder / "tokenizer.json", content)


def _of_tokenizer_json(file: Path, content: dict[str, Any]) -> Iterator[UnreadSetting]:
    if not content:
        return
    yield from _of_part(file, {name: None if name in tables.PARTS else content[name] for name in content}, "file", "")
    for place in tables.PARTS:
        parts = content.get(place)
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, dict):
                yield from _of_part(file, part, place, f"{place}.")


def _of_part(file: Path, part: dict[str, Any], place: str, prefix: str) -> Iterator[UnreadSetting]:
    known = Known(read=tables.part_keys(place, str(part.get("type"))), sections=("tokenizer.json",), strict=True)
    yield from _of(file, "tokenizer.json", part, known, prefix)
    if part.get("type") == "Sequence":
        for members in part.values():
            for member in members if isinstance(members, list) else []:
                if isinstance(member, dict):
                    yield from _of_part(file, member, place, prefix)


def _of_object(file: Path, kind: str, known: Known) -> Iterator[UnreadSetting]:
    yield from _of(file, kind, read_json_object(file, REMEDY), known)


def _of(file: Path, kind: str, content: dict[str, Any], known: Known, place: str = "") -> Iterator[UnreadSetting]:
    for key, value in content.items():
        setting = Setting(file=str(file), kind=kind, name=f"{place}{key}", value=value)
        if (unread := unread_setting(setting, known)) is not None:
            yield unread
