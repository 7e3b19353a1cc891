import json

import pytest

from utils.host.errors import SourceError
from utils.sources.sentence_folder import SentenceFolder, read_sentence_folder, transformer_folder


@pytest.fixture
def folder(tmp_path):
    """`folder(modules=..., pooling=..., **files)`: a sentence-transformers folder, as versions 2 to 4 write it."""

    def make(modules=("Transformer", "Pooling", "Normalize"), pooling=None, **files):
        chain = [
            {"idx": place, "path": f"{place}_{kind}" if place else "", "type": f"sentence_transformers.models.{kind}"}
            for place, kind in enumerate(modules)
        ]
        (tmp_path / "modules.json").write_text(json.dumps(chain))
        if pooling is not None:
            (tmp_path / "1_Pooling").mkdir(exist_ok=True)
            (tmp_path / "1_Pooling/config.json").write_text(json.dumps(pooling))
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return tmp_path

    return make


def flags(*on):
    names = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    return {"word_embedding_dimension": 8, **{f"pooling_mode_{name}": name in on for name in names}}


def modes_of(folder, pooling=()):
    return read_sentence_folder(folder, pooling=pooling).modules[0]["modes"]


def test_a_plain_folder_has_no_settings(tmp_path):
    assert read_sentence_folder(tmp_path) == SentenceFolder()
    assert SentenceFolder().prompts == {"query": "", "document": ""}, "those that every model of the library has"


@pytest.mark.parametrize(
    ("content", "modes"),
    [
        (flags("mean_tokens"), ["mean"]),
        (flags("max_tokens"), ["max"]),
        (flags("lasttoken"), ["lasttoken"]),
        (flags("weightedmean_tokens"), ["weightedmean"]),
        (flags("mean_sqrt_len_tokens", "cls_token"), ["cls", "mean_sqrt_len_tokens"]),
        (flags(), ["mean"]),
        ({"embedding_dimension": 8, "pooling_mode": "cls", "include_prompt": True}, ["cls"]),
        ({"embedding_dimension": 8, "pooling_mode": ["max", "cls"]}, ["max", "cls"]),
        ({**flags("cls_token"), "pooling_mode": "max"}, ["max"]),
    ],
)
def test_the_pooling_of_every_version_is_read_as_the_library_reads_it(folder, content, modes):
    made = folder(pooling=content)
    assert modes_of(made) == modes
    assert modes_of(made, ("cls", "mean")) == ["cls", "mean"], "the option replaces it"


@pytest.mark.parametrize("mode", ["sum", ["mean", "sum"], {"a": 1}, 3])
def test_an_unknown_pooling_is_refused(folder, mode):
    with pytest.raises(SourceError, match=r"1_Pooling.config.json' has pooling_mode .*lasttoken"):
        read_sentence_folder(folder(pooling={"word_embedding_dimension": 8, "pooling_mode": mode}))


def test_the_settings_for_texts_are_read(folder):
    settings = {"max_seq_length": 96, "do_lower_case": True}
    expected = read_sentence_folder(
        folder(("Transformer", "Pooling"), flags("mean_tokens"), sentence_roberta_config=settings)
    )
    assert (expected.max_length, expected.lower_case, len(expected.modules)) == (96, True, 1)


def test_prompts_and_the_similarity_are_read(folder):
    own = {
        "prompts": {"query": "query: ", "passage": None},
        "default_prompt_name": "query",
        "similarity_fn_name": "dot",
    }
    found = read_sentence_folder(folder(pooling=flags("mean_tokens"), config_sentence_transformers=own))
    assert found.prompts == {"query": "query: ", "document": "", "passage": ""}
    assert (found.default_prompt, found.similarity, found.include_prompt) == ("query", "dot", True)
    assert read_sentence_folder(folder(pooling=None)).similarity == "dot"


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"prompts": ["query: "]}, r"prompts \['query: '\]"),
        ({"prompts": {"query": 3}}, r"prompts \{'query': 3\}"),
        ({"prompts": {"query": "a"}, "default_prompt_name": "passage"}, "'passage'.*query, document"),
        ({"similarity_fn_name": "maxsim"}, "'maxsim'.*cosine, dot"),
    ],
)
def test_invalid_prompts_and_similarities_are_refused(folder, own, says):
    with pytest.raises(SourceError, match=says):
        read_sentence_folder(folder(pooling=flags("mean_tokens"), config_sentence_transformers=own))


@pytest.mark.parametrize("size", [8, 5000])
def test_truncate_dim_is_read(folder, size):
    made = folder(pooling=flags("mean_tokens"), config_sentence_transformers={"truncate_dim": size})
    assert read_sentence_folder(made).truncate_dim == size


@pytest.mark.parametrize("size", [0, -1, "8", 8.0, True])
def test_an_invalid_truncate_dim_is_refused(folder, size):
    made = folder(pooling=flags("mean_tokens"), config_sentence_transformers={"truncate_dim": size})
    with pytest.raises(SourceError, match=rf"truncate_dim {size!r}"):
        read_sentence_folder(made)


@pytest.mark.parametrize("model_type", ["CrossEncoder", "SparseEncoder", None])
def test_a_folder_of_another_class_is_refused(folder, model_type):
    made = folder(pooling=flags("mean_tokens"), config_sentence_transformers={"model_type": model_type})
    with pytest.raises(SourceError, match=f"model_type {model_type}.*SentenceTransformer"):
        read_sentence_folder(made)


def test_a_missing_pooling_config_is_refused(folder):
    with pytest.raises(SourceError, match=r"1_Pooling.config.json.*is missing"):
        read_sentence_folder(folder())


@pytest.mark.parametrize("text", ["{}", "[1]", "not json"])
def test_a_damaged_list_of_modules_is_refused(tmp_path, text):
    (tmp_path / "modules.json").write_text(text)
    with pytest.raises(SourceError, match=r"modules.json"):
        read_sentence_folder(tmp_path)


@pytest.fixture
def old_folder(folder):
    """The layout of versions before 2.0."""
    made = folder(("Transformer", "Pooling"), flags("cls_token"))
    chain = json.loads((made / "modules.json").read_text())
    chain[0]["path"] = "0_Transformer"
    (made / "modules.json").write_text(json.dumps(chain))
    (made / "0_Transformer").mkdir()
    (made / "0_Transformer/config.json").write_text("{}")
    (made / "0_Transformer/sentence_bert_config.json").write_text('{"max_seq_length": 96, "do_lower_case": true}')
    return made


def test_the_model_of_the_old_layout_is_found(old_folder):
    inner = transformer_folder(old_folder)
    assert inner == old_folder / "0_Transformer"
    modules = ({"type": "Pooling", "modes": ["cls"]},)
    assert read_sentence_folder(inner) == SentenceFolder(modules=modules, max_length=96, lower_case=True)


@pytest.mark.parametrize(
    "path", ["", ".", "..", "0_Transformer/..", "/etc", "../other/0_Transformer", "7_Transformer", 3]
)
def test_other_paths_are_not_followed(old_folder, path):
    (old_folder / "modules.json").write_text(json.dumps([{"path": path, "type": "m.Transformer"}]))
    assert transformer_folder(old_folder) == old_folder


def test_modules_of_another_model_in_the_parent_folder_are_ignored(folder):
    made = folder(pooling=flags("cls_token"))
    (made / "0_Transformer").mkdir()
    assert read_sentence_folder(made / "0_Transformer") == SentenceFolder()
