"""Some errors through the real script, without torch and within two seconds."""

import json

import pytest

from tests.bad_input.conftest import NAME
from tests.bad_input.test_files import only_pickled, truncate

ARGUMENTS = {
    "nothing at all": ([], 2, ["MODEL is missing"]),
    "unknown option": (["{model}", "{model}", "-", NAME, "--colour"], 2, ["--colour"]),
    "name in capitals": (["{model}", "{model}", "-", "Topics"], 2, ["MODEL_NAME 'Topics'"]),
    "tag with a space": (["{model}", "{model}", "-", NAME, "v 1"], 2, ["TAG 'v 1'"]),
    "batch of a word": (["{model}", "{model}", "-", NAME, "v1", "four"], 2, ["MAX_BATCH_SIZE is 'four'"]),
    "image in capitals": (["{model}", "{model}", "-", NAME, "--image", "Team/a"], 2, ["--image 'Team/a'"]),
    "unknown release": (["{model}", "{model}", "-", NAME, "--release", "1.0"], 2, ["--release '1.0'"]),
    "no such model": (["./nowhere", "{model}", "-", NAME], 3, ["MODEL './nowhere'"]),
}
DAMAGES = {
    "half a config": (lambda case: truncate(case, "config.json", 50), ["config.json", "not valid JSON"]),
    "half the weights": (lambda case: truncate(case, "model.safetensors", -1000), ["model.safetensors", "bytes"]),
    "pickled weights": (only_pickled, ["--allow-pickle"]),
    "no head": (
        lambda case: case.keep_tensors(lambda name: not name.startswith("classifier")),
        ["no classification head"],
    ),
    "code of its own": (lambda case: case.edit("config.json", auto_map={"AutoModel": "x.Y"}), ["no custom code"]),
    "no pad token": (
        lambda case: (
            case.edit("tokenizer_config.json", pad_token=...),
            case.edit("special_tokens_map.json", pad_token=None),
        ),
        ["has no pad token"],
    ),
}
UNKNOWN = "--accept-unknown logit_temperature"
DAMAGES["a setting nothing reads"] = (
    lambda case: case.edit("config.json", logit_temperature=2.0),
    ["logit_temperature = 2.0 in MODEL's config.json", UNKNOWN],
)
LABELS = {
    "padded keys": ('{"00": "a", "01": "b", "02": "c"}', ["the key '00'"]),
    "a gap": ('{"0": "a", "1": "b", "3": "c"}', ["none for output 2"]),
    "too few": ('["a", "b"]', ["2 labels", "3 outputs"]),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_bad_argument(case, damaged, refused_by_the_script):
    argv, code, words = ARGUMENTS[case]
    refused_by_the_script([damaged.model if each == "{model}" else each for each in argv], code, words)


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_model(case, damaged, refused_by_the_script):
    damage, words = DAMAGES[case]
    damage(damaged)
    refused_by_the_script([*damaged.argv(NAME), "--no-image"], 3, words)


@pytest.mark.parametrize("case", LABELS)
def test_a_bad_label_file(case, damaged, refused_by_the_script):
    content, words = LABELS[case]
    refused_by_the_script([*damaged.argv(NAME, labels=damaged.labels(content)), "--no-image"], 3, words)


def test_a_dry_run_reports_the_same_error(damaged, refused_by_the_script):
    file = damaged.labels(json.dumps(["a", "a", "b"]))
    refused_by_the_script([*damaged.argv(NAME, labels=file), "--dry-run"], 3, ["--allow-duplicate-labels"])
