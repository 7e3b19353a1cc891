"""make_triton_image.sh --push from model to digest, its refusals, and how a failed push continues."""

import json
import re
import shlex
import shutil
import subprocess
import time
import uuid

import pytest

from tests import shared_conversions, tiny_models
from tests.image.conftest import runs_here
from tests.loopback.faulty_registry import FaultyRegistry
from tests.loopback.registry import running_registry
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.host.digest import of_file as digest_of_file
from utils.registry.reference import parse_reference
from utils.registry.registry import Registry

DIGEST = r"sha256:[0-9a-f]{64}"
SECTION = (ROOT / "docs/release.md").read_text(encoding="utf-8").split("## Push\n")[1].split("\n## ")[0]
PUSH, PLATFORMS, CACHE = (
    shlex.split(command.replace("\\\n", " "))
    for command in re.findall(r"(?m)^\./make_triton_image\.sh (?:.*\\\n)*.*$", SECTION)
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.distilbert(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="module")
def name(engine, registry):
    """The model's name, and the name of its images; both are removed at the end."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    images = engine.client.run("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    engine.client.run("rmi", "--force", *(image for image in images if f"/team/{name}:" in image))
    for place in (BUILD / name, BUILD / ".unfinished" / name):
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def make(bases, model):
    """make(name, host, *options, documented=...) -> the finished process of a command of docs/release.md."""

    def run(name, host, *options, documented=PUSH, **variables):
        used = {"./model": model, "./id2label.json": "-", "topics": name}
        image = f"{host}/team/{name}"
        command = [used.get(word, word.replace("registry.example.org/team/topics", image)) for word in documented]
        command += ["--base-image", bases[0], "--slim-image", bases[1], *options]
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True, text=True, check=False, timeout=600, cwd=ROOT,
            env=shared_conversions.environment(**variables),
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def built(make, name, registry):
    done = make(name, registry.host, "--json", "--platform", "linux/amd64", "--cache-to", "type=inline")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def inspect(reference, *options):
    command = ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{reference}"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def refused(done, seconds, message):
    """Exit code 9 and one sentence, before the references are read."""
    assert (done.returncode, done.stdout) == (9, ""), done.stderr
    assert re.search(message, done.stderr.splitlines()[-1]), done.stderr
    assert seconds < 20, "the start of the script and its imports, and no download"
    assert "references" not in done.stderr


def test_the_digest_names_the_proven_image(built, name, registry):
    image = f"{registry.host}/team/{name}"
    assert re.fullmatch(rf"{image}@{DIGEST}", built["digest"])
    assert built["images"] == {"linux/amd64": built["image_id"]}
    assert inspect(built["digest"], "--raw")["config"]["digest"] == built["image_id"]
    assert inspect(f"{image}:v1")["Digest"] == built["digest"].partition("@")[2]


def test_sbom_and_provenance_are_attached_to_the_digest(built):
    reference = parse_reference(built["digest"])
    statement = json.loads((BUILD.parent / built["provenance"]).read_text(encoding="utf-8"))
    digest = {"sha256": reference.digest.removeprefix("sha256:")}
    assert statement["subject"] == [{"name": reference.repository, "digest": digest}]
    registry = Registry(reference)
    attached = [registry.manifest(each["digest"]) for each in registry.referrers(reference.digest)]
    blobs = {each.fields["layers"][0]["digest"] for each in attached}
    files = [BUILD.parent / built[name] for name in ("sbom", "provenance")]
    assert blobs == {f"sha256:{digest_of_file(file)}" for file in files}


def test_a_released_tag_is_refused_at_once(built, make, name, registry):
    started = time.monotonic()
    done = make(name, registry.host)
    digest = built["digest"].partition("@")[2]
    refused(done, time.monotonic() - started, rf"{name}:v1 is in the registry already, with the digest {digest}")


def test_missing_credentials_are_refused_at_once(make, tmp_path):
    with running_registry(tmp_path / "locked", password=True) as locked:
        started = time.monotonic()
        done = make("topics", locked.host, DOCKER_CONFIG=str(tmp_path / "none"))
        refused(done, time.monotonic() - started, rf"registry {locked.host} .*401.*docker login {locked.host}")
    started = time.monotonic()
    refused(make("topics", locked.host), time.monotonic() - started, f"registry {locked.host} does not answer")


def test_platform_without_emulator_or_base_is_refused(make, registry, tmp_path):
    """The stand-in for NVIDIA's image has one platform, and is in no registry. NVIDIA's images have both."""
    done = make("topics", registry.host, documented=PLATFORMS)
    expected = (2, "linux/arm64: an image for it cannot be proven")
    if runs_here("linux/arm64", tmp_path):
        expected = (7, "base image .* cannot be found for linux/arm64")
    assert (done.returncode, done.stdout) == (expected[0], ""), done.stderr
    assert re.search(expected[1], done.stderr.splitlines()[-1])


def test_failed_push_is_continued_by_the_command_in_the_message(built, engine, make, name, registry):
    """The registry has the layers of `built` already, so that the two pushes are short, and its cache."""
    with FaultyRegistry(registry.host) as proxy:
        proxy.fault = "full"
        done = make(name, proxy.host, documented=CACHE)
        assert (done.returncode, done.stdout) == (9, ""), done.stderr
        failed = rf"error: the push of {proxy.host}/team/{name}:image-[0-9a-f]{{12}} failed \(denied: quota exceeded\)"
        assert re.match(failed, done.stderr.splitlines()[-1]), done.stderr
        assert "v3" not in [*registry.tags(f"team/{name}"), *proxy.pushed()]
        assert engine.has(f"{proxy.host}/team/{name}:v3") and (BUILD / name / "v3").is_dir()
        assert f"importing cache manifest from {proxy.host}/team/{name}:v1" in done.stderr
        proxy.fault = ""
        [command] = re.findall(r"is kept; continue with: (.*)", done.stderr)
        again = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
        assert re.fullmatch(rf"{proxy.host}/team/{name}@{DIGEST}\n", again.stdout)
        assert proxy.pushed()[-1] == "v3", "the tag is set last"
    assert inspect(f"{registry.host}/team/{name}:v3")["Digest"] == again.stdout.strip().partition("@")[2]
