"""The SBOM of a small tree and a made-up inventory; tests/image/release/test_sbom.py has that of a real image."""

import json
import zipfile
from dataclasses import replace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from utils.docker.inventory import parse_inventory
from utils.host import digest
from utils.release.ingredients import Base, Ingredients, Source, ingredients_of
from utils.release.sbom import write_sbom
from utils.repository.context import Context

DEB = {"kind": "deb", "architecture": "amd64", "distribution": "ubuntu-24.04", "source": "openssl"}
LIBSSL = DEB | {"name": "libssl3", "version": "1:3.0-2", "source_version": "1:3.0-1"}
COPIED = {"from": "triton"}
TRITON_LIB = "/opt/tritonserver/lib"


def owning(path, **values):
    return {"files": [{"path": path, **values}]}


OWNERS = [
    LIBSSL | COPIED | owning(f"{TRITON_LIB}/libssl.so.3", copied_from="/usr/lib/libssl.so.3"),
    LIBSSL | owning("/usr/lib/libssl.so.3"),
    DEB | {"name": "openssl", "version": "3", "source_version": "3", "files": []},
    {"kind": "pypi", "name": "Own", "version": "1.0"} | owning("/opt/serving/own/_c.so", sha256="1" * 64),
    {"kind": "pypi", "name": "other", "version": "2"} | owning("/usr/lib/other.so", sha256="2" * 64),
    {"kind": "triton", "name": "tritonserver", "version": "2.72.1"}
    | COPIED
    | owning(f"{TRITON_LIB}/libtritonserver.so", sha256="3" * 64),
    {"kind": "folder", "name": "/opt/hpcx"} | COPIED | owning(f"{TRITON_LIB}/libucs.so.0", sha256="4" * 64),
    {"kind": "folder", "name": "/"} | owning("/lib/loose.so", sha256="5" * 64),
]
INGREDIENTS = Ingredients(
    name="topics",
    tag="v1",
    triton="2.72.0",
    sources=(
        Source(name="model", reference="hf:user/topics", revision="a" * 40, licence="apache-2.0"),
        Source(name="tokenizer", reference="local:tok", revision="sha256:" + "b" * 16),
    ),
    bases=(
        Base(role="triton", image="nvcr.io/nvidia/tritonserver:26.08-py3", digest="sha256:" + "c" * 64),
        Base(role="slim", image="ubuntu:24.04"),
    ),
    files={"topics/1/model.onnx": "model", "topics/1/tokenizer.json": "tokenizer"},
)


@pytest.fixture
def tree(tmp_path):
    files = {
        "deploy/supervise.py": "1", "deploy/collect_runtime.sh": "2", "model_repository/topics/1/model.onnx": "graph",
        "model_repository/topics/1/tokenizer.json": "{}", "model_repository/topics/config.pbtxt": "name",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "wheelhouse").mkdir()
    for name in ("own", "pip"):
        with zipfile.ZipFile(tmp_path / f"wheelhouse/{name}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}-1.0.dist-info/METADATA", "Metadata-Version: 2.4\nLicense-Expression: MIT\n")
    wheel = digest.of_file(tmp_path / "wheelhouse/own-1.0-py3-none-any.whl")
    (tmp_path / "requirements-serving.txt").write_text(f"own==1.0 --hash=sha256:{wheel}\n")
    return tmp_path


def sbom(tree, owners=OWNERS):
    return valid(write_sbom(tree, INGREDIENTS, parse_inventory(json.dumps(owners))))


def valid(file):
    text = file.read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return json.loads(text)


def files_of(component):
    return {
        each["name"]: [one["content"] for one in each.get("hashes", [])] for each in component.get("components", [])
    }


def test_each_owner_is_a_component_with_its_files(tree):
    found = {each["bom-ref"]: each for each in sbom(tree)["components"]}
    copied, own = found["deb/libssl3:amd64/copied"], found["deb/libssl3:amd64"]
    assert files_of(copied) == {"/opt/tritonserver/lib/libssl.so.3": []}
    assert files_of(own) == {"/usr/lib/libssl.so.3": []}
    assert copied["purl"].startswith("pkg:deb/ubuntu/libssl3@1:3.0-2?arch=amd64&distro=ubuntu-24.04&upstream=openssl")
    images = [{each["name"]: each["value"] for each in of["properties"]} for of in (copied, own)]
    assert [each["triton-image-factory:base_image"] for each in images] == [base.image for base in INGREDIENTS.bases]
    [entry] = copied["components"]
    assert entry["properties"] == [{"name": "triton-image-factory:copied_from", "value": "/usr/lib/libssl.so.3"}]
    assert found["deb/openssl:amd64"]["purl"] == "pkg:deb/ubuntu/openssl@3?arch=amd64&distro=ubuntu-24.04"
    assert files_of(found["pypi/other==2"]) == {"/usr/lib/other.so": ["2" * 64]}
    assert files_of(found["folder/opt/hpcx/copied"]) == {"/opt/tritonserver/lib/libucs.so.0": ["4" * 64]}
    assert files_of(found["base/slim"]) == {"/lib/loose.so": ["5" * 64]}
    assert found["triton"]["version"] == "2.72.1", "the version of the image, not of the release table"
    assert files_of(found["triton"]) == {"/opt/tritonserver/lib/libtritonserver.so": ["3" * 64]}


def test_a_wheel_has_its_hash_and_its_licence(tree):
    found = {each["bom-ref"]: each for each in sbom(tree)["components"]}
    wheel = found["wheel/own==1.0"]
    content = digest.of_file(tree / "wheelhouse/own-1.0-py3-none-any.whl")
    assert wheel["hashes"] == [{"alg": "SHA-256", "content": content}]
    assert (wheel["purl"], wheel["licenses"]) == ("pkg:pypi/own@1.0", [{"license": {"id": "MIT"}}])
    assert files_of(wheel) == {"/opt/serving/own/_c.so": ["1" * 64]}
    assert "wheel/pip==1.0" not in found, "it installs and is not installed"


def test_model_tokenizer_and_own_files(tree):
    found = {each["bom-ref"]: each for each in sbom(tree)["components"]}
    model = found["source/model"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "hf:user/topics", "a" * 40)
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert files_of(model) == {"/models/topics/1/model.onnx": [digest.of_text("graph")]}
    assert files_of(found["source/tokenizer"]) == {"/models/topics/1/tokenizer.json": [digest.of_text("{}")]}
    assert set(files_of(found["factory"])) == {"/opt/serving/supervise.py", "/models/topics/config.pbtxt"}
    triton = found["base/triton"]
    assert triton["version"] == "sha256:" + "c" * 64
    assert triton["purl"].startswith("pkg:oci/tritonserver@sha256:cccc")
    assert "version" not in found["base/slim"]


def test_without_an_image_the_rest_is_described(tree):
    found = sbom(tree, owners=[])
    assert found["metadata"]["component"]["type"] == "application"
    references = {each["bom-ref"] for each in found["components"]}
    assert references == {
        "source/model", "source/tokenizer", "wheel/own==1.0", "base/triton", "base/slim", "triton", "factory"
    }  # fmt: skip
    [root] = [each for each in found["dependencies"] if each["ref"] == "root"]
    assert set(root["dependsOn"]) == references


def test_images_of_two_platforms_share_an_sbom(tree):
    """Each has its own packages and files under the same paths."""
    bases = (*INGREDIENTS.bases, *(replace(base, platform="linux/arm64") for base in INGREDIENTS.bases))
    text = json.dumps(OWNERS)
    owners = [*parse_inventory(text), *parse_inventory(text, "linux/arm64")]
    found = valid(write_sbom(tree, replace(INGREDIENTS, bases=bases), owners))
    references = [each["bom-ref"] for owner in found["components"] for each in (owner, *owner.get("components", ()))]
    assert len(set(references)) == len(references)
    copied = {"deb/libssl3:amd64/copied", "deb/libssl3:amd64/copied@linux/arm64"}
    assert copied | {"wheel/own==1.0", "pypi/own==1.0@linux/arm64", "base/slim@linux/arm64"} <= set(references)


def test_equal_inputs_give_equal_files(tree, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = sbom(tree)
    assert sbom(tree) == first
    assert sbom(tree, owners=OWNERS[:-1])["serialNumber"] != first["serialNumber"]


def test_ingredients_are_those_of_the_labels(make_pipeline):
    labels = {
        "model": "hf:user/topics", "model.revision": "a" * 40, "model.licence": "mit", "labels": '["a"]',
        "labels.revision": "sha256:1", "labels.reference": "local:labels.json", "triton.version": "2.72.0",
    }  # fmt: skip
    context = Context(
        pipeline=make_pipeline(model_name="topics"),
        image="host:5000/topics:v1",
        device="gpu",
        docker={"triton_image": "t:1", "slim_image": "s:1", "runtime": "full", "triton_digest": "sha256:2"},
        oci_labels={f"triton-image-factory.{name}": value for name, value in labels.items()},
    )
    found = ingredients_of(context)
    assert (found.name, found.tag, found.triton) == ("topics", "v1", "2.72.0")
    assert found.sources == (
        Source(name="labels", reference="local:labels.json", revision="sha256:1"),
        Source(name="model", reference="hf:user/topics", revision="a" * 40, licence="mit"),
    )
    assert found.bases == (Base(role="triton", image="t:1", digest="sha256:2"),)
    assert set(found.files.values()) == {"model", "tokenizer"}
