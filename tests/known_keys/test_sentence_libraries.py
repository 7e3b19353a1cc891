"""The tables of the files of sentence-transformers 5 and 6 and of setfit have every setting that those write.

The keys are read from the libraries' source text: both versions are compared, and nothing is imported.
"""

import ast
from collections.abc import Iterator

import pytest

from utils.host import environment
from utils.host.environments import SENTENCES, SENTENCES6, SETFIT, Environment
from utils.sources.known_keys import tables

# Served modules, and the name of their file in the tables.
FILES = {
    "Transformer": "sentence_bert_config.json",
    **{kind: f"{kind}/config.json" for kind in ("Pooling", "Dense", "Normalize", "LayerNorm", "SpladePooling")},
}


def trees(of: Environment, package: str, pattern: str) -> Iterator[ast.AST]:
    environment.ensure(of)
    (folder,) = of.folder.glob(f"lib/python*/site-packages/{package}")
    files = sorted(folder.glob(pattern))
    assert files
    yield from (ast.parse(file.read_text(encoding="utf-8")) for file in files)


def texts(node: ast.AST | None) -> set[str]:
    return {each.value for each in ast.walk(node or ast.Pass()) if isinstance(each, ast.Constant)} - {None}


def assigned(body: list[ast.stmt], name: str) -> set[str]:
    """The texts in `name = ...` and `name: ... = ...`."""
    found: set[str] = set()
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in [ast.unparse(each) for each in targets if each]:
            found |= texts(node.value)
    return found


def module_keys(of: Environment) -> dict[str, set[str]]:
    """Class of a module -> the keys that it writes, and the older names that it reads."""
    return {
        node.name: assigned(node.body, "config_keys") | assigned(node.body, "config_key_renames")
        for tree in trees(of, "sentence_transformers", "*/modules/*.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name in FILES
    }


def model_keys(of: Environment) -> set[str]:
    """The keys of the dictionaries that `_get_model_config` of the served classes makes and adds to."""
    found: set[str] = set()
    for kind in ("base", "sentence_transformer", "cross_encoder", "sparse_encoder"):
        for tree in trees(of, "sentence_transformers", f"{kind}/model.py"):
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and node.name == "_get_model_config":
                    for each in ast.walk(node):
                        if isinstance(each, ast.Dict) and "pytorch" not in texts(each):
                            found |= set().union(*map(texts, each.keys))
                        elif isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store):
                            found |= texts(each.slice)
    return found | {"model_type", "prompts", "default_prompt_name", "__version__"}


def missing(file: str, keys: set[str]) -> set[str]:
    return keys - {row.key for row in tables.rows(file)}


@pytest.mark.parametrize("of", [SENTENCES, SENTENCES6], ids=lambda each: each.name)
def test_every_setting_of_a_module_is_in_its_table(of):
    found = module_keys(of)
    assert {kind for kind, keys in found.items() if keys} | {"Normalize"} == FILES.keys()
    assert not {kind: lacking for kind, keys in found.items() if (lacking := missing(FILES[kind], keys))}


@pytest.mark.parametrize("of", [SENTENCES, SENTENCES6], ids=lambda each: each.name)
def test_every_setting_of_a_model_is_in_its_table(of):
    found = model_keys(of)
    assert {"activation_fn", "truncate_dim", "similarity_fn_name"} <= found
    assert not missing("config_sentence_transformers.json", found)


def test_every_setting_of_setfit_is_in_its_table():
    found = set().union(
        *(
            assigned([node], "self.attributes_to_save")
            for tree in trees(SETFIT, "setfit", "**/modeling.py")
            for node in ast.walk(tree)
            if isinstance(node, ast.stmt)
        )
    )
    assert {"labels", "normalize_embeddings", "spacy_model"} <= found
    assert not missing("config_setfit.json", found)
