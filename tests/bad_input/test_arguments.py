"""Errors in the command line and the YAML file are reported before anything is read."""

import pytest

HEX = "0123456789abcdef" * 4
PLACES = ["MODEL", "TOKENIZER", "ID2LABEL", "MODEL_NAME", "TAG", "MAX_BATCH_SIZE"]
GOOD = ["{model}", "{model}", "-", "topics", "v1", "4"]


def line(**changes):
    """A sound command line with some arguments replaced."""
    return [changes.get(place, good) for place, good in zip(PLACES, GOOD, strict=True)]


# arguments, exit code, words
CASES = {
    "nothing at all": ([], 2, ["MODEL is missing", "--help"]),
    "no tokenizer": (["{model}"], 2, ["TOKENIZER is missing"]),
    "no labels": (["{model}", "{model}"], 2, ["ID2LABEL is missing"]),
    "one too many": ([*GOOD, "extra"], 2, ["extra", "--help"]),
    "unknown option": ([*GOOD, "--colour"], 2, ["--colour", "--help"]),
    "option without its value": ([*GOOD, "--top-k"], 2, ["--top-k", "expected one argument"]),
    "name in capitals": (line(MODEL_NAME="Topics"), 2, ["MODEL_NAME 'Topics'", "lower-case letters"]),
    "name with a space": (line(MODEL_NAME="my topics"), 2, ["MODEL_NAME 'my topics'", "at most 128"]),
    "name with a slash": (line(MODEL_NAME="team/topics"), 2, ["MODEL_NAME 'team/topics'"]),
    "name that climbs": (line(MODEL_NAME="../topics"), 2, ["MODEL_NAME '../topics'"]),
    "name that is hidden": (line(MODEL_NAME=".work"), 2, ["MODEL_NAME '.work'"]),
    "name with three underscores": (line(MODEL_NAME="a___b"), 2, ["MODEL_NAME 'a___b'", "'__'"]),
    "name of 129 letters": (line(MODEL_NAME="a" * 129), 2, ["MODEL_NAME", "at most 128"]),
    "name with a line break": (line(MODEL_NAME="topics\n"), 2, ["MODEL_NAME 'topics\\n'"]),
    "name in another script": (line(MODEL_NAME="тема"), 2, ["MODEL_NAME 'тема'"]),
    "name of the first step": (line(MODEL_NAME="text_preprocessing"), 2, ["step inside the model repository"]),
    "name of the second step": (line(MODEL_NAME="model_onnx"), 2, ["step inside the model repository"]),
    "name of the third step": (line(MODEL_NAME="post_processing"), 2, ["step inside", "choose another"]),
    "empty name": (line(MODEL_NAME=""), 2, ["MODEL_NAME ''"]),
    "tag with a space": (line(TAG="v 1"), 2, ["TAG 'v 1'", "at most 128 letters"]),
    "tag with a dash first": (line(TAG=".v1"), 2, ["TAG '.v1'"]),
    "tag with a colon": (line(TAG="a:b"), 2, ["TAG 'a:b'"]),
    "tag with a plus": (line(TAG="1.0+cpu"), 2, ["TAG '1.0+cpu'"]),
    "tag of 129 letters": (line(TAG="v" * 129), 2, ["TAG", "at most 128"]),
    "empty tag": (line(TAG=""), 2, ["TAG ''"]),
    "batch of none": (line(MAX_BATCH_SIZE="0"), 2, ["MAX_BATCH_SIZE is '0'", "from 1 to 1024"]),
    "batch of a word": (line(MAX_BATCH_SIZE="four"), 2, ["MAX_BATCH_SIZE is 'four'", "whole number"]),
    "batch of a fraction": (line(MAX_BATCH_SIZE="1.5"), 2, ["MAX_BATCH_SIZE is '1.5'"]),
    "batch too large": (line(MAX_BATCH_SIZE="1025"), 2, ["MAX_BATCH_SIZE is '1025'", "1024"]),
    "unknown task": ([*GOOD, "--task", "translation"], 2, ["--task 'translation'", "text-classification"]),
    "unknown device": ([*GOOD, "--device", "tpu"], 2, ["--device 'tpu'", "cpu, gpu"]),
    "unknown release": ([*GOOD, "--release", "19.01"], 2, ["--release 19.01", "24.01"]),
    "top-k of none": ([*GOOD, "--top-k", "0"], 2, ["--top-k is '0'"]),
    "max-length of a word": ([*GOOD, "--max-length", "all"], 2, ["--max-length is 'all'"]),
    "fetch-timeout of none": ([*GOOD, "--fetch-timeout", "0"], 2, ["--fetch-timeout is '0'"]),
    "image with a tag": ([*GOOD, "--image", "team/topics:v1"], 2, ["--image 'team/topics:v1'", "TAG argument"]),
    "image in capitals": ([*GOOD, "--image", "Team/topics"], 2, ["--image 'Team/topics'", "lower case"]),
    "image with a scheme": ([*GOOD, "--image", "https://registry/topics"], 2, ["--image 'https://registry/topics'"]),
    "image that is an id": ([*GOOD, "--image", HEX], 2, ["--image", "is not an image repository"]),
    "image of 256 letters": ([*GOOD, "--image", "a" * 256], 2, ["is not an image repository"]),
    "base image with a bad tag": ([*GOOD, "--base-image", "triton:-x"], 2, ["--base-image 'triton:-x'"]),
    "base image with half a digest": ([*GOOD, "--base-image", "triton@sha256:12"], 2, ["name@digest"]),
    "base image that is an option": ([*GOOD, "--base-image=--privileged"], 2, ["--base-image '--privileged'"]),
    "slim image with a line break": ([*GOOD, "--slim-image", "a\nRUN id"], 2, ["--slim-image 'a\\nRUN id'"]),
    "unknown storage": (line(MODEL="ftp:bucket/model"), 2, ["'ftp:bucket/model'", "hf:, clearml:, s3:"]),
    "top-k above the labels": ([*GOOD, "--top-k", "4"], 2, ["--top-k 4", "at most 3"]),
    "model not there": (line(MODEL="./nowhere"), 3, ["MODEL './nowhere' does not exist", "check the path"]),
    "model is a name of the hub": (line(MODEL="user/name"), 3, ["write hf:user/name"]),
    "model of 300 letters": (line(MODEL="m" * 300), 3, ["MODEL", "too long"]),
    "tokenizer not there": (line(TOKENIZER="/no/where"), 3, ["TOKENIZER '/no/where' does not exist"]),
    "labels not there": (line(ID2LABEL="./labels.json"), 3, ["ID2LABEL './labels.json' does not exist"]),
    "hub reference without a name": (line(MODEL="hf:/"), 3, ["'hf:/' is not a repository", "hf:user/name"]),
    "hub reference that climbs": (line(MODEL="hf:../../etc"), 3, ["is not a repository"]),
    "max-length above the model": ([*GOOD, "--max-length", "129"], 3, ["129 tokens", "--max-length", "at most 128"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_argument(case, damaged, refused):
    argv, code, words = CASES[case]
    refused([each.replace("{model}", str(damaged.model)) for each in argv], code, words)


SOUND = "model: {model}\ntokenizer: {model}\nid2label: '-'\n"
FILES = {
    "not there": (None, ["cannot be read", "No such file"]),
    "a folder": (..., ["cannot be read", "directory"]),
    "not UTF-8": (b"model: \xff\n", ["cannot be read", "not UTF-8 (byte 7)"]),
    "no YAML": ("model: [unclosed\n", ["cannot be read as YAML"]),
    "no names": ("- model\n- tokenizer\n", ["must hold names and values"]),
    "an unknown name": (SOUND + "modle_name: topics\n", ["unknown names modle_name (line 4)", "model_name"]),
    "a name twice": (SOUND + "tag: v1\ntag: v2\n", ["'tag' twice"]),
    "a list": (SOUND + "tag: [v1, v2]\n", ["line 4, tag", "must be one value"]),
    "a flag that is a word": (SOUND + "no_verify: sure\n", ["line 4, no_verify", "'sure'", "true or false"]),
    "a Python object": ("model: !!python/object/apply:os.getcwd []\n", ["cannot be read as YAML"]),
    "a bad value": (SOUND + "max_batch_size: many\n", ["MAX_BATCH_SIZE is 'many'"]),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_yaml_file(case, damaged, refused):
    content, words = FILES[case]
    file = damaged.folder / "build.yaml"
    if content is ...:
        file.mkdir()
    elif content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.format(model=damaged.model).encode())
    refused(["--config", file], 2, ["--config" if "bad value" not in case else "", *words])
