"""Damaged tokenizer files that pass the early checks, loaded by the library: a working tokenizer, or exit 3.

The library behind it is native code, which ends a mistake of its own in a panic, not in an exception.
"""

import pytest
from hypothesis import given

from tests.fuzz import valid
from tests.fuzz.edge import outcome, tree
from tests.fuzz.mutations import around, json_files, text_files
from tests.fuzz.profile import examples
from utils.convert.tokenization import check_parity, freeze, load_tokenizer
from utils.sources.requirements import SourceRequirements
from utils.sources.tokenizer_files import read_tokenizer_files

SPOILED = {
    "tokenizer.json": json_files(valid.TOKENIZER),
    "tokenizer_config.json": json_files(valid.TOKENIZER_CONFIG),
    "special_tokens_map.json": json_files(valid.SPECIAL_TOKENS),
    "vocab.txt": text_files(valid.VOCABULARY),
}


def frozen(folder, destination):
    """As in a build, without a model."""
    from transformers import BertConfig

    read_tokenizer_files(folder, SourceRequirements(max_batch_size=8))
    tokenizer = load_tokenizer(folder, BertConfig())
    result = freeze(tokenizer, destination, max_length=16)
    check_parity(result, tokenizer, ("input_ids", "attention_mask"))


@pytest.mark.long("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
@pytest.mark.parametrize("name", SPOILED)
def test_a_damaged_tokenizer(name, folder, tmp_path):
    if name == "vocab.txt":
        (folder / "tokenizer.json").unlink()
    before = tree(folder)

    @given(content=SPOILED[name])
    @examples(20, most=1000)
    def check(content):
        around(folder / name, content, lambda: outcome(lambda: frozen(folder, tmp_path / "frozen"), codes={3, 5}))
        assert tree(folder) == before

    check()
