"""The provenance of a small tree: the statement's form, its figures, and no path of this machine."""

import json

import pytest

from tests.unit.release.test_sbom import INGREDIENTS, tree  # noqa: F401 - a fixture
from utils.host import digest
from utils.release.provenance import Subject, digest_of_repository, write_provenance
from utils.repository import build_record

SUBJECT = Subject(name="registry.example.org/team/topics", digest="sha256:" + "9" * 64)


@pytest.fixture
def statement(tree):  # noqa: F811
    build_record.begin(tree, parameters={"model": "hf:user/topics", "tag": "v1"}, tools={"torch": "2.13.0"})
    build_record.add(tree, parity={"rows": 4, "largest_difference": 1e-6})
    build_record.add(tree, proof={"requests": 27, "largest_difference": 2e-6})
    (tree / "golden.json").write_text("{}")
    (tree / "sbom.cdx.json").write_text("sbom")
    return json.loads(write_provenance(tree, [SUBJECT], INGREDIENTS, [tree / "sbom.cdx.json"]).read_text())


def test_it_is_a_statement_of_slsa(statement):
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": SUBJECT.name, "digest": {"sha256": "9" * 64}}]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["buildType"] == "urn:triton-image-factory:build:1"
    assert definition["externalParameters"] == {"model": "hf:user/topics", "tag": "v1"}
    run = statement["predicate"]["runDetails"]
    assert set(run["metadata"]) == {"invocationId", "startedOn", "finishedOn"}
    assert run["metadata"]["startedOn"] <= run["metadata"]["finishedOn"]


def test_inputs_are_named_by_digest(statement, tree):  # noqa: F811
    found = {each["name"]: each for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert found["model"]["digest"] == {"gitCommit": "a" * 40}
    assert found["model"]["annotations"] == {"revision": "a" * 40, "licence": "apache-2.0"}
    assert found["tokenizer"]["digest"] == {"filesSha256First16": "b" * 16}
    assert found["base image: triton"]["digest"] == {"sha256": "c" * 64}
    assert "digest" not in found["base image: slim"], "it is in no registry"
    wheel = found["own-1.0-py3-none-any.whl"]
    assert wheel["digest"] == {"sha256": digest.of_file(tree / "wheelhouse/own-1.0-py3-none-any.whl")}
    assert "pip-1.0-py3-none-any.whl" in found, "it took part in the build"


def test_figures_belong_to_what_was_measured(statement, tree):  # noqa: F811
    found = {each["name"]: each for each in statement["predicate"]["runDetails"]["byproducts"]}
    assert found["model_repository"]["annotations"]["rows"] == 4
    assert found["golden.json"]["annotations"]["requests"] == 27
    assert found["sbom.cdx.json"]["digest"] == {"sha256": digest.of_text("sbom")}


def test_the_digest_of_a_repository_changes_with_names_and_contents(tree):  # noqa: F811
    first = digest_of_repository(tree)
    (tree / "model_repository/topics/config.pbtxt").rename(tree / "model_repository/topics/other.pbtxt")
    second = digest_of_repository(tree)
    (tree / "model_repository/topics/other.pbtxt").write_text("other")
    assert len({first, second, digest_of_repository(tree)}) == 3
