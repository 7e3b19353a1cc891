"""Checks a tokenizer's files without loading it: whether they are complete and can be served.

Only certain faults are refused here; loading the tokenizer (utils/convert/tokenization.py) finds the others.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json, read_json_object, read_text
from utils.host.progress import warn
from utils.sources import whole_numbers
from utils.sources.known_keys.folder import unread_in_tokenizer
from utils.sources.known_keys.judge import require_understood
from utils.sources.requirements import SourceRequirements

SAVE_AGAIN = "save the tokenizer again with save_pretrained()"
# The files of fast tokenizers; a folder with none of these has no tokenizer that can be served.
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.spm", "bpe.codes", "*.vocab", "spm.*")
# Tokenizers of transformers without a fast class and without a converter to one: they can be served only if their
# folder has a tokenizer.json. Source: transformers 4.57, TOKENIZER_MAPPING_NAMES less
# SLOW_TO_FAST_CONVERTERS.
SLOW_ONLY = """
    BartphoTokenizer BertGenerationTokenizer BertJapaneseTokenizer BertweetTokenizer BioGptTokenizer
    ByT5Tokenizer CTRLTokenizer CanineTokenizer CpmAntTokenizer ErnieMTokenizer EsmTokenizer FSMTTokenizer
    FlaubertTokenizer LukeTokenizer M2M100Tokenizer MLukeTokenizer MarianTokenizer MyT5Tokenizer PLBartTokenizer
    PerceiverTokenizer PhobertTokenizer ProphetNetTokenizer RoCBertTokenizer TapasTokenizer TransfoXLTokenizer
    XLMTokenizer XLMProphetNetTokenizer
"""
# Tokenizers whose class has no pad token: only their files can define one. Source: transformers 4.57.
WITHOUT_PAD = """
    CodeGenTokenizer CodeLlamaTokenizer CohereTokenizer GPT2Tokenizer GPTNeoXTokenizer LlamaTokenizer
    OpenAIGPTTokenizer PreTrainedTokenizer WhisperTokenizer
"""
# Models often have slightly more token ids than their tokenizer (sizes are rounded up), but not many more.
MOST_SPARE_IDS = 2000


@dataclass(frozen=True, kw_only=True)
class TokenizerFiles:
    """What the files contain.

    `vocabulary`: the largest token id plus one, None if no JSON or text file contains it. `accepted`: the settings left
    unread because of --accept-unknown.
    """

    folder: Path
    vocabulary: int | None
    accepted: tuple[str, ...] = ()


def read_tokenizer_files(folder: Path, requirements: SourceRequirements) -> TokenizerFiles:
    """SourceError (exit 3) for a folder whose tokenizer certainly cannot be served on these requirements."""
    if not folder.is_dir():
        raise SourceError(f"TOKENIZER {str(folder)!r} is not a folder; pass the folder that save_pretrained() wrote")
    config = read_json_object(folder / "tokenizer_config.json", SAVE_AGAIN)
    whole_numbers.whole(config.get("model_max_length"), folder / "tokenizer_config.json", "model_max_length")
    special = read_json_object(folder / "special_tokens_map.json", SAVE_AGAIN)
    name = config.get("tokenizer_class") or ""
    if config.get("auto_map"):
        raise SourceError(
            f"the tokenizer in {str(folder)!r} needs custom code (auto_map in tokenizer_config.json); this factory "
            "runs no custom code (no trust_remote_code); use a tokenizer class of transformers"
        )
    content = _tokenizer_json(folder / "tokenizer.json")
    _require_fast(folder, name, content)
    if requirements.max_batch_size > 1 and _has_no_pad(config, special, content):
        raise SourceError(
            f"the tokenizer in {str(folder)!r} ({name or 'without a class name'}) has no pad token, so texts cannot be "
            "batched; set tokenizer.pad_token and save it again, or build with MAX_BATCH_SIZE 1"
        )
    accepted = require_understood(unread_in_tokenizer(folder, content), requirements.accept_unknown)
    vocabulary = _largest_id(content) if content else _largest_id_in_parts(folder)
    return TokenizerFiles(folder=folder, vocabulary=vocabulary, accepted=accepted)


def _require_fast(folder: Path, name: str, content: dict[str, Any]) -> None:
    if not content and name in SLOW_ONLY.split():
        raise SourceError(
            f"the tokenizer {name} has no fast form; the image serves tokenizer.json only; "
            "use a model type with a fast tokenizer"
        )
    if not any(exists(file) for pattern in VOCABULARIES for file in folder.glob(pattern)):
        raise SourceError(
            f"TOKENIZER {str(folder)!r} has no tokenizer: none of {', '.join(VOCABULARIES[:4])} exists; "
            "pass the folder that tokenizer.save_pretrained() wrote"
        )


def _tokenizer_json(file: Path) -> dict[str, Any]:
    """The content of `file`, {} if it does not exist."""
    if not exists(file):
        return {}
    content = read_json(file, SAVE_AGAIN)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise SourceError(f"{str(file)!r} is not a tokenizer file (it has no model); {SAVE_AGAIN}")
    return content


def _has_no_pad(config: dict[str, Any], special: dict[str, Any], content: dict[str, Any]) -> bool:
    """True when certain: no file, no saved padding and no class defines a pad token."""
    if config.get("pad_token") or special.get("pad_token") or content.get("padding"):
        return False
    named = str(config.get("tokenizer_class") or "").removesuffix("Fast")
    return named in WITHOUT_PAD.split() or ("pad_token" in config and bool(named))


def _largest_id(content: dict[str, Any]) -> int | None:
    """The largest id in a tokenizer.json plus one: WordPiece, BPE and WordLevel have a dict, Unigram a list."""
    vocabulary = content["model"].get("vocab")
    added = content.get("added_tokens")
    ids = [each.get("id") for each in added if isinstance(each, dict)] if isinstance(added, list) else []
    if isinstance(vocabulary, list):
        ids.append(len(vocabulary) - 1)
    elif isinstance(vocabulary, dict):
        ids.extend(vocabulary.values())
    return max((each for each in ids if isinstance(each, int)), default=-1) + 1 or None


def _largest_id_in_parts(folder: Path) -> int | None:
    """As _largest_id, for a slow tokenizer's files."""
    added = read_json_object(folder / "added_tokens.json", SAVE_AGAIN)
    ids = [each for each in added.values() if isinstance(each, int)]
    if exists(folder / "vocab.json"):
        ids += [each for each in read_json_object(folder / "vocab.json", SAVE_AGAIN).values() if isinstance(each, int)]
    elif exists(folder / "vocab.txt"):
        ids.append(_lines(folder / "vocab.txt") - 1)
    else:
        return None  # a SentencePiece model
    return max(ids, default=-1) + 1 or None


def _lines(file: Path) -> int:
    text = read_text(file, SAVE_AGAIN)
    if not text.strip():
        raise SourceError(f"{str(file)!r} is empty; {SAVE_AGAIN}")
    return text.rstrip("\n").count("\n") + 1


def check_fit(files: TokenizerFiles, rows: int | None) -> None:
    """SourceError when the tokenizer has ids beyond the `rows` rows of the model's embedding."""
    if files.vocabulary is not None and rows is not None and files.vocabulary > rows:
        raise SourceError(
            f"the tokenizer in {str(files.folder)!r} has token ids up to {files.vocabulary - 1} but the model has "
            f"only {rows} tokens; use the tokenizer the model was trained with"
        )


def warn_of_spare_ids(files: TokenizerFiles, rows: int | None) -> None:
    """Warns of a tokenizer with far fewer ids than the model: it probably belongs to another model."""
    if files.vocabulary is None or rows is None:
        return
    if rows - files.vocabulary > max(MOST_SPARE_IDS, rows // 50):
        warn(f"the model has {rows} tokens, the tokenizer {files.vocabulary}: check that it is the model's own")
