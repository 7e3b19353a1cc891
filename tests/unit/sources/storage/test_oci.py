"""oci: against Debian's docker-registry. tests/loopback/artifacts.py says how the artifacts get there."""

import gzip
import io
import re
import tarfile

import pytest

from tests.loopback import artifacts
from tests.loopback.registry import PASSWORD, running_registry
from tests.unit.sources.storage.calls import fetch, refusal, resolve
from utils.registry.registry import IMAGE_MANIFEST, Registry
from utils.sources.storage import METADATA, SAFE_WEIGHTS, WEIGHTS


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.mark.parametrize("how", artifacts.PUSHED)
def test_each_kind_of_artifact(how, registry, model_folder, tmp_path):
    name = f"team/{how.lower().replace(' ', '-')}"
    digest = artifacts.push(artifacts.PUSHED[how], model_folder, registry.host, f"{name}:v1")
    reference = f"oci:{registry.host}/{name}:v1"
    assert resolve(reference) == resolve(f"oci://{registry.host}/{name}@{digest}") == digest
    assert sorted(fetch(reference, digest, METADATA, tmp_path)) == ["config.json", "vocab.txt"]
    files = fetch(reference, digest, METADATA + SAFE_WEIGHTS, tmp_path)
    assert sorted(files) == ["config.json", "model.safetensors", "vocab.txt"]
    assert all(path.read_bytes() == (model_folder / name).read_bytes() for name, path in files.items())
    assert "pytorch_model.bin" in fetch(reference, digest, WEIGHTS, tmp_path)


def test_files_pushed_by_oras(registry, model_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(model_folder)
    artifacts.push_by_oras(model_folder, registry.host, "team/oras:v1")
    reference = f"oci:{registry.host}/team/oras:v1"
    files = fetch(reference, resolve(reference), METADATA + SAFE_WEIGHTS, tmp_path)
    assert sorted(files) == ["config.json", "model.safetensors", "vocab.txt"]
    assert files["model.safetensors"].read_bytes() == (model_folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("how", ["ModelPack", "ModelPack in gzip"])
def test_weights_are_downloaded_last(how, registry, model_folder, tmp_path):
    digest = artifacts.push(artifacts.PUSHED[how], model_folder, registry.host, "team/last:v1")
    reference = f"oci:{registry.host}/team/last:v1"
    fetch(reference, digest, METADATA, tmp_path)
    sizes = [path.stat().st_size for path in (tmp_path / "layers").iterdir()]
    assert sizes and max(sizes) < 1000
    fetch(reference, digest, METADATA + SAFE_WEIGHTS, tmp_path)
    assert len(list((tmp_path / "layers").iterdir())) == len(sizes) + 1


def test_a_tag_that_moves_is_another_revision(registry, model_folder, tmp_path):
    push = artifacts.PUSHED["ModelKit"]
    first = artifacts.push(push, model_folder, registry.host, "team/moves:v1")
    (model_folder / "vocab.txt").write_text("another")
    assert artifacts.push(push, model_folder, registry.host, "team/moves:v1") == resolve(
        f"oci:{registry.host}/team/moves:v1"
    )
    files = fetch(f"oci:{registry.host}/team/moves:v1", first, METADATA, tmp_path)
    assert files["vocab.txt"].read_text().startswith("[PAD]")


def test_credentials_are_dockers(model_folder, tmp_path, monkeypatch, environment):
    with running_registry(tmp_path / "locked", password=True) as locked:
        reference = f"oci:{locked.host}/team/topics:v1"
        assert "docker login" in refusal(resolve, reference)
        environment(locked.log_in(tmp_path / "wrong", "a-wrong-password"))
        message = refusal(resolve, reference)
        assert "docker login" in message and "a-wrong-password" not in message
        environment(locked.log_in(tmp_path / "right", PASSWORD))
        digest = artifacts.push(artifacts.PUSHED["ModelPack"], model_folder, locked.host, "team/topics:v1")
        assert resolve(reference) == digest
        assert "config.json" in fetch(reference, digest, METADATA, tmp_path / "out")


def test_a_layer_with_another_content_is_refused(registry, model_folder, tmp_path):
    digest = artifacts.push(artifacts.PUSHED["ModelPack"], model_folder, registry.host, "team/damaged:v1")
    fields = Registry(f"{registry.host}/team/damaged").manifest("v1").fields
    layer = next(each for each in fields["layers"] if "vocab.txt" in each["annotations"].values())
    blob = registry.blob(layer["digest"])
    content = blob.read_bytes()
    blob.write_bytes(bytes(len(content)))
    try:
        message = refusal(fetch, f"oci:{registry.host}/team/damaged:v1", digest, METADATA, tmp_path)
    finally:
        blob.write_bytes(content)  # other repositories share it
    assert re.search(r"its content has the digest sha256:\w+; do not use this registry", message)
    assert not (tmp_path / "files/vocab.txt").exists()


def _layer_of(members, compress=gzip.compress):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return compress(buffer.getvalue())


def _push_layers(registry, *layers, config="application/vnd.kitops.modelkit.config.v1+json"):
    """The reference of an artifact with these layers, (content, media type)."""
    repository = Registry(f"{registry.host}/team/odd")
    fields = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "config": repository.put_blob(b"{}", config),
        "layers": [repository.put_blob(content, kind) for content, kind in layers],
    }
    return f"oci:{repository.reference.repository}@{repository.put_manifest(fields, 'v1').digest}"


def _member(name, kind=tarfile.REGTYPE, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


KIT = "application/vnd.kitops.modelkit.model.v1.tar+gzip"
ODD = {
    "a name outside": ([_member("../config.json")], KIT, "'../config.json', which is outside"),
    "a link": ([_member("config.json", tarfile.SYMTYPE, "/etc/passwd")], KIT, "'config.json' as a link or a device"),
    "a hard link": ([_member("config.json", tarfile.LNKTYPE, "x")], KIT, "'config.json' as a link or a device"),
    "two models": ([_member("a/config.json"), _member("b/config.json")], KIT, "in several folders (a, b)"),
    "zstd": ([_member("config.json")], KIT.replace("gzip", "zstd"), "compressed with zstd, which is not supported"),
    "no tar": (None, KIT, "is damaged or truncated"),
    "no names": ([], "application/octet-stream", "has no layer with files (its artifact type is 'application/vnd.kit"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_artifacts_are_refused(case, registry, tmp_path):
    members, kind, words = ODD[case]
    content = b"no archive at all" if members is None else _layer_of(members)
    reference = _push_layers(registry, (content, kind))
    assert words in refusal(fetch, reference, resolve(reference), METADATA, tmp_path)
    assert not [path for path in tmp_path.rglob("config.json") if path.stat().st_size or path.is_symlink()]


def test_an_image_without_models(registry, tmp_path):
    layer = (_layer_of([_member("config.json")]), "application/vnd.docker.image.rootfs.diff.tar.gzip")
    reference = _push_layers(registry, layer, config="application/vnd.docker.container.image.v1+json")
    assert "is an image without /models" in refusal(fetch, reference, resolve(reference), METADATA, tmp_path)


@pytest.mark.parametrize("text", ["oci:team/topics:v1", "oci:topics", "oci:Host/x y", "oci:host.example/Team/x:v1"])
def test_what_is_no_artifact(text):
    assert "write oci:registry/name:tag" in refusal(resolve, text)


def test_an_unknown_tag_and_an_unreachable_registry(registry, closed_port):
    assert "has no" in refusal(resolve, f"oci:{registry.host}/team/topics:no")
    assert "does not answer" in refusal(resolve, f"oci:127.0.0.1:{closed_port}/team/topics:v1")
