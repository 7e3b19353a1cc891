"""Texts to token arrays by the `tokenizers` library alone; a build holds this very code against AutoTokenizer."""

import numpy as np
from tokenizers import Tokenizer

# What can be told from a text alone; a graph that takes anything else cannot be served from texts.
TENSORS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


def load_tokenizer(file, settings):
    """The frozen tokenizer.json with truncation and padding as `settings` say, whatever the file carries.

    settings: {"max_length": int or None, "truncation_side": "right" or "left",
    "padding": {"id": int, "type_id": int, "token": str, "side": "right" or "left"} or None}
    """
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if settings["max_length"] is not None:
        tokenizer.enable_truncation(settings["max_length"], direction=settings["truncation_side"])
    padding = settings["padding"]
    if padding is not None:
        tokenizer.enable_padding(
            direction=padding["side"], pad_id=padding["id"], pad_type_id=padding["type_id"], pad_token=padding["token"]
        )
    return tokenizer


def encode(tokenizer, texts, dtypes, name="text_input"):
    """Arrays of shape [len(texts), longest], one for each name in `dtypes` ({tensor name of TENSORS: numpy dtype}).

    ValueError names the input and the row of a text without any token, which no model can answer.
    """
    encodings = tokenizer.encode_batch(texts)
    for row, encoding in enumerate(encodings):
        if not any(encoding.attention_mask):
            raise ValueError(f"input '{name}', row {row}: the tokenizer finds no token in this text")
    arrays = {
        "input_ids": np.array([encoding.ids for encoding in encodings]),
        "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
        "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
    }
    if "position_ids" in dtypes:
        mask = arrays["attention_mask"]
        arrays["position_ids"] = np.where(mask == 1, np.cumsum(mask, axis=1) - 1, 1)
    return {name: arrays[name].astype(dtype) for name, dtype in dtypes.items()}


def decode_rows(array, name):
    """The texts of a BYTES array, row by row; ValueError names the input and the row that is not UTF-8."""
    return [_decode(value, name, row) for row, value in enumerate(array.reshape(-1))]


def _decode(value, name, row):
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise ValueError(f"input '{name}', row {row}: not valid UTF-8 (byte {error.start})") from error
