"""The options in a provenance name no path of the builder's machine and no key."""

import json

from utils.factory.parameters import public_parameters


def test_local_paths_keep_their_last_part():
    values = {
        "model": "/home/someone/models/topics", "tokenizer": "hf:user/tok@v1", "id2label": "./secret/labels.json",
        "eval_file": "/home/someone/eval.tsv", "golden_inputs": ["/home/someone/a.npz", "second=../b.npz"],
        "add_model": ["second=/home/someone/second.onnx"], "label": ["a=/b"], "max_batch_size": "8", "no_cache": True,
    }  # fmt: skip
    assert public_parameters(values) == {
        "add_model": ["second=local:second.onnx"],
        "eval_file": "eval.tsv",
        "golden_inputs": ["local:a.npz", "second=local:b.npz"],
        "id2label": "local:labels.json",
        "label": ["a=/b"],
        "max_batch_size": "8",
        "model": "local:topics",
        "no_cache": True,
        "tokenizer": "hf:user/tok@v1",
    }
    assert "someone" not in json.dumps(public_parameters(values))


def test_what_belongs_to_the_builder_alone_is_left_out():
    assert public_parameters({"sign_key": "/home/someone/key.pem", "json": True, "id2label": "-"}) == {"id2label": "-"}
