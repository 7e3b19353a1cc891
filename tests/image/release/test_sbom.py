"""Two builds of one model with all caches emptied: equal layers, and an SBOM that owns every library.

The stand-in base has libraries that no package of it owns; in NVIDIA's image dpkg owns most of them.
"""

import hashlib
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.image.release.conftest import PAGE, bash
from utils import ROOT
from utils.host.build_tree import BUILD

EMPTY_LAYER = f"sha256:{hashlib.sha256(bytes(1024)).hexdigest()}"  # that of WORKDIR: a tar file without files
LIBRARY = re.compile(r"\.so(\.[0-9]+)*$")


@pytest.fixture(scope="module")
def builds(engine, bases, released, tmp_path_factory):
    """The JSON results of two builds of equal files in two folders, at two times; the first is a release."""
    model = shutil.copytree(released.model, tmp_path_factory.mktemp("place") / "someones model")
    command = next(each for each in PAGE.splitlines() if each.endswith("--no-cache"))
    command = command.replace("./model ./model ./id2label.json topics v1", f"'{model}' '{model}' - {released.name} v2")
    done = bash(f"{command} --json --no-measure --base-image {bases[0]} --slim-image {bases[1]}")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    yield released.result, result
    engine.client.run("rmi", "--force", result["image"])


@pytest.fixture(scope="module")
def sbom(builds):
    text = (BUILD.parent / builds[1]["sbom"]).read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return json.loads(text)


@pytest.fixture(scope="module")
def exported(engine, builds, tmp_path_factory):
    """{path: SHA-256, or the target of a link} of all files of the image."""
    archive = tmp_path_factory.mktemp("export") / "image.tar"
    container = engine.client.run("create", builds[1]["image"]).stdout.strip()
    try:
        done = engine.client.run("export", "--output", str(archive), container, seconds=300)
        assert done.returncode == 0, done.stderr
    finally:
        engine.client.run("rm", "--force", container)
    found = {}
    with tarfile.open(archive) as tar:
        for entry in tar:
            if entry.isfile():
                found[f"/{entry.name}"] = hashlib.sha256(tar.extractfile(entry).read()).hexdigest()
    archive.unlink()
    return found


def owners_of(sbom):
    """{path: (owning component, entry)}; each file has one owner."""
    pairs = [(each["name"], (owner, each)) for owner in sbom["components"] for each in owner.get("components", [])]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def layers_of(engine, image):
    return json.loads(engine.client.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", image).stdout)


def test_two_builds_have_equal_layers(engine, builds):
    layers = [layers_of(engine, each["image_id"]) for each in builds]
    assert len(layers[0]) >= 5
    assert layers[0] == layers[1]


def test_a_build_of_another_date_reuses_no_layer_of_ours(engine, bases, builds):
    """The builder has all layers of the release in its cache, and these differ in their times alone."""
    tree = BUILD.parent / Path(builds[1]["sbom"]).parent
    found = json.loads((tree / "context.json").read_text(encoding="utf-8"))["docker"]
    arguments = {
        "TRITON_IMAGE": bases[0],
        "SLIM_IMAGE": bases[1],
        "RUNTIME": found["runtime"],
        "SOURCE_DATE_EPOCH": "1",
    }
    image = engine.build(tree, build_args=arguments, labels={}, no_cache=False)
    try:
        shared = set(layers_of(engine, image)) & set(layers_of(engine, builds[1]["image_id"]))
        assert shared <= {EMPTY_LAYER, *layers_of(engine, bases[1])}
    finally:
        engine.client.run("rmi", "--force", image)


def test_every_library_has_an_owner(sbom, exported):
    owners = owners_of(sbom)
    libraries = {path for path in exported if LIBRARY.search(path)}
    assert len(libraries) > 200
    assert libraries - set(owners) == set()
    hashes = {path: [each["content"] for each in entry.get("hashes", ())] for path, (_, entry) in owners.items()}
    assert {path for path, known in hashes.items() if known and known != [exported.get(path)]} == set()


def test_the_command_of_the_docs_lists_the_image(engine, builds, exported):
    [command] = re.findall(r"(?m)^docker (run .* )tritoned_topics:v1( .*inventory\.py)$", PAGE)
    done = engine.client.run(*command[0].split(), builds[1]["image"], *command[1].split())
    owners = json.loads(done.stdout)
    listed = {file["path"] for owner in owners for file in owner["files"]}
    assert {path for path in exported if LIBRARY.search(path)} <= listed


def test_a_copied_library_belongs_to_its_package(engine, bases, sbom):
    owner, entry = owners_of(sbom)["/opt/tritonserver/lib/libssl.so.3"]
    version = engine.run_in(bases[0], "dpkg-query", "--show", "--showformat=${Version}", "libssl3")
    assert (owner["name"], owner["version"]) == ("libssl3", version)
    assert owner["purl"].startswith("pkg:deb/debian/libssl3@") and "upstream=openssl" in owner["purl"]
    source = "/usr/lib/x86_64-linux-gnu/libssl.so.3"
    assert {"name": "triton-image-factory:copied_from", "value": source} in entry["properties"]


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/opt/tritonserver/lib/libtritonserver.so", "triton"),
        ("/opt/tritonserver/backends/python/libtriton_python.so", "triton"),
        ("/usr/bin/python3.11", "deb/python3.11-minimal:amd64/copied"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "deb/libc6:amd64"),
        ("/opt/serving/tokenizers/tokenizers.abi3.so", "wheel/tokenizers==0.22.2"),
        ("/opt/serving/supervisor/main.py", "factory"),
        ("/opt/serving/inventory.py", "factory"),
    ],
)
def test_owners(sbom, path, owner):
    assert owners_of(sbom)[path][0]["bom-ref"] == owner


def test_cuda_belongs_to_its_folder(sbom):
    [owner] = {owner["bom-ref"] for path, (owner, _) in owners_of(sbom).items() if "libcudart" in path}
    assert owner == "folder/usr/local/cuda-12.6/copied"


def test_model_and_tokenizer_have_revision_licence_and_hashes(sbom, builds, exported):
    found = {each["bom-ref"]: each for each in sbom["components"]}
    model, tokenizer = found["source/model"], found["source/tokenizer"]
    assert model["version"] == builds[1]["revisions"]["model"]
    assert model["name"] == "local:someones model"
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    name = builds[1]["served_model"]["name"]
    [graph] = model["components"]
    assert graph["hashes"][0]["content"] == exported[f"/models/{name}/1/model.onnx"]
    assert [each["name"] for each in tokenizer["components"]] == [f"/models/{name}/1/tokenizer.json"]


def test_provenance_names_the_image_and_its_inputs(builds, bases):
    text = (BUILD.parent / builds[1]["provenance"]).read_text(encoding="utf-8")
    statement = json.loads(text)
    assert statement["subject"] == [
        {"name": builds[1]["image"], "digest": {"sha256": builds[1]["image_id"].removeprefix("sha256:")}}
    ]
    definition, run = (statement["predicate"][name] for name in ("buildDefinition", "runDetails"))
    assert definition["externalParameters"]["model"] == "local:someones model"
    inputs = {each["name"]: each for each in definition["resolvedDependencies"]}
    assert inputs["base image: triton"]["uri"] == f"docker://{bases[0]}"
    assert sum(name.endswith(".whl") and "sha256" in each["digest"] for name, each in inputs.items()) == 4
    products = {each["name"]: each for each in run["byproducts"]}
    sbom = (BUILD.parent / builds[1]["sbom"]).read_bytes()
    assert products["sbom.cdx.json"]["digest"]["sha256"] == hashlib.sha256(sbom).hexdigest()
    assert products["golden.json"]["annotations"]["requests"] > 0
    assert products["model_repository"]["annotations"]["largest_difference"] < 1e-3


def test_no_file_names_a_path_of_this_machine(builds):
    for result in builds:
        for name in ("sbom", "provenance"):
            text = (BUILD.parent / result[name]).read_text(encoding="utf-8")
            assert str(ROOT) not in text and "place" not in text


def test_what_two_builds_do_not_share(engine, builds):
    """docs/release.md names it: the id of the image, whose config has the times of the builder's steps and the tag."""
    first, second = builds
    assert "id and digest of the image" in PAGE.split("## Repeatable builds")[1]
    assert first["image_id"] != second["image_id"]
    labels = json.loads(engine.client.run("inspect", "--format", "{{json .Config.Labels}}", first["image"]).stdout)
    assert labels["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
