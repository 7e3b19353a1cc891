"""The labels of an image. The one that names the labels is bounded, where it would not fit on a command line."""

import hashlib
import json
import subprocess
from dataclasses import replace

import pytest

from tests.small_specs import LABELS, spec_of
from utils.factory.base_images import docker_plan
from utils.factory.image_labels import LONGEST_IMAGE_LABEL, image_label, oci_labels
from utils.host.installed import VERSION
from utils.options.build_spec import parse_arguments

# execve(2): the longest single argument, with its terminating zero.
MAX_ARG_STRLEN = 131_072


@pytest.mark.parametrize("texts", [(), ("a",), ('a "b"\n$c', "д"), tuple(map(str, range(1000)))])
def test_few_labels_are_all_there(texts):
    assert json.loads(image_label(texts)) == list(texts)


@pytest.mark.parametrize(
    "texts",
    [
        tuple(f"item {number:04d} {'x' * 90}" for number in range(1400)),
        tuple(f"concept {number}" for number in range(20_000)),
        ("x" * (LONGEST_IMAGE_LABEL + 1),),
        ("д" * LONGEST_IMAGE_LABEL,),
    ],
    ids=["1,400 long ones", "20,000", "one", "bytes, not characters"],
)
def test_many_are_a_count_and_a_digest(texts):
    whole = json.dumps(texts, ensure_ascii=False).encode()
    assert json.loads(image_label(texts)) == {"count": len(texts), "sha256": hashlib.sha256(whole).hexdigest()}


def test_the_longest_label_fits_on_a_command_line():
    texts = ("x" * (LONGEST_IMAGE_LABEL - 4),)
    argument = f"--label=triton-image-factory.labels={image_label(texts)}"
    assert LONGEST_IMAGE_LABEL < len(argument) < MAX_ARG_STRLEN
    assert subprocess.run(["true", argument], check=False).returncode == 0


def labels_of(spec, known, **docker):
    return oci_labels(spec, known, {**docker_plan(spec.target, None), **docker})


def test_the_image_says_what_is_in_it_and_not_where_it_was_built(known):
    labels = labels_of(spec_of(), known)
    assert labels["org.opencontainers.image.title"] == "topics"
    assert labels["org.opencontainers.image.version"] == "v1"
    assert labels["triton-image-factory.version"] == VERSION
    assert labels["org.opencontainers.image.revision"] == "sha256:" + "0" * 16
    assert labels["triton-image-factory.model"] == "local:model"
    assert labels["triton-image-factory.tokenizer"] == "hf:user/tok@v1"
    assert labels["triton-image-factory.tokenizer.revision"] == "t" * 40
    assert labels["triton-image-factory.max_batch_size"] == "8"
    assert json.loads(labels["triton-image-factory.labels"]) == list(LABELS)
    assert "torch==" in labels["triton-image-factory.tools"]
    assert all(isinstance(value, str) for value in labels.values())


OCI = "org.opencontainers.image"


def test_the_names_of_the_oci_specification_are_complete(known, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    known = replace(known, licences={"model": "mit"})
    digests = {"triton_digest": "sha256:" + "1" * 64, "slim_digest": "sha256:" + "2" * 64}
    labels = labels_of(spec_of("--image", "registry.example.org/team/topics"), known, **digests)
    assert labels[f"{OCI}.created"] == "2023-11-14T22:13:20Z"
    assert labels[f"{OCI}.licenses"] == "MIT AND Apache-2.0"
    assert labels[f"{OCI}.vendor"] == "team"
    assert labels[f"{OCI}.source"] == "local:model"
    assert labels[f"{OCI}.documentation"].startswith("https://")
    # The image of FROM, which has the lowest layers: the slim one.
    assert labels[f"{OCI}.base.name"].startswith("ubuntu:")
    assert labels[f"{OCI}.base.digest"] == digests["slim_digest"]
    assert labels["triton-image-factory.triton.image"].startswith("nvcr.io/nvidia/tritonserver:")
    assert labels["triton-image-factory.triton.digest"] == digests["triton_digest"]
    assert labels["triton-image-factory.model.licence"] == "mit"


def test_a_full_image_has_the_triton_image_as_its_base(known):
    labels = labels_of(spec_of("--device", "gpu"), known, triton_digest="sha256:" + "1" * 64)
    assert labels[f"{OCI}.base.name"] == labels["triton-image-factory.triton.image"]
    assert labels[f"{OCI}.base.digest"] == "sha256:" + "1" * 64


def test_a_base_that_no_registry_has_is_named_without_digest(known):
    assert f"{OCI}.base.digest" not in labels_of(spec_of(), known)


def test_a_model_of_a_hub_is_named_by_its_page(known, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org/")
    spec = parse_arguments(["hf:user/topics@v2", "hf:user/topics@v2", "-", "topics"])
    labels = labels_of(spec, known)
    assert labels[f"{OCI}.source"] == labels[f"{OCI}.documentation"] == "https://hub.example.org/user/topics/tree/v2"


def test_options_replace_labels_of_the_build(known):
    labels = labels_of(spec_of("--label", f"{OCI}.vendor=Example Ltd", "--label", "team=search=1"), known)
    assert (labels[f"{OCI}.vendor"], labels["team"]) == ("Example Ltd", "search=1")


def test_an_unusual_licence_is_a_reference(known):
    known = replace(known, licences={"model": "my own licence"})
    assert labels_of(spec_of(), known)[f"{OCI}.licenses"] == "LicenseRef-my-own-licence AND Apache-2.0"


def test_without_labels_there_is_no_label_map(known):
    assert "triton-image-factory.labels" not in labels_of(spec_of(), replace(known, labels=None))
