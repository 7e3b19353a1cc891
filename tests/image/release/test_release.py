"""make_triton_image.sh --push from model to digest, its refusals, and how a failed push continues."""

import json
import re
import shlex
import subprocess
import time

import pytest

from tests import shared_conversions
from tests.image.conftest import runs_here
from tests.image.release.conftest import EPOCH, PAGE, bash
from tests.loopback.faulty_registry import FaultyRegistry
from tests.loopback.registry import running_registry
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.host.digest import of_file as digest_of_file
from utils.registry.reference import parse_reference
from utils.registry.registry import Registry
from utils.release.documents import PROVENANCE, SBOM

DIGEST = r"sha256:[0-9a-f]{64}"
SECTION = PAGE.split("## Push\n")[1].split("\n## ")[0]
PUSH, PLATFORMS, CACHE = (
    shlex.split(command.replace("\\\n", " "))
    for command in re.findall(r"(?m)^\./make_triton_image\.sh (?:.*\\\n)*.*$", SECTION)
)


@pytest.fixture(scope="module")
def make(bases, released):
    """make(host, documented, **variables) -> the finished process of a command of docs/release.md."""

    def run(host, documented=PUSH, **variables):
        used = {"./model": str(released.model), "./id2label.json": "-", "topics": released.name}
        image = f"{host}/team/{released.name}"
        command = [used.get(word, word.replace("registry.example.org/team/topics", image)) for word in documented]
        command += ["--base-image", bases[0], "--slim-image", bases[1], "--no-measure"]
        env = shared_conversions.environment(SOURCE_DATE_EPOCH=str(EPOCH), **variables)
        return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT, env=env)

    return run


def inspect(reference, *options):
    command = ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{reference}"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def refused(done, seconds, message):
    """Exit code 9 and one sentence, before the references are read."""
    assert (done.returncode, done.stdout) == (9, ""), done.stderr
    assert re.search(message, done.stderr.splitlines()[-1]), done.stderr
    assert seconds < 20, "the start of the script and its imports, and no download"
    assert "references" not in done.stderr


def test_the_digest_names_the_proven_image(released):
    image, built = released.repository, released.result
    assert re.fullmatch(rf"{image}@{DIGEST}", built["digest"])
    assert built["images"] == {"linux/amd64": built["image_id"]}
    assert inspect(built["digest"], "--raw")["config"]["digest"] == built["image_id"]
    assert inspect(f"{image}:v1")["Digest"] == built["digest"].partition("@")[2]


def assert_sbom_and_provenance_are_attached(reference, tree):
    statement = json.loads((tree / PROVENANCE.file).read_text(encoding="utf-8"))
    digest = {"sha256": reference.digest.removeprefix("sha256:")}
    assert statement["subject"] == [{"name": reference.repository, "digest": digest}]
    registry = Registry(reference)
    attached = [registry.manifest(each["digest"]) for each in registry.referrers(reference.digest)]
    blobs = {each.fields["layers"][0]["digest"] for each in attached}
    assert blobs == {f"sha256:{digest_of_file(tree / name)}" for name in (SBOM.file, PROVENANCE.file)}


def test_a_released_tag_is_refused_at_once(make, released, registry):
    started = time.monotonic()
    done = make(registry.host)
    digest = released.result["digest"].partition("@")[2]
    refused(
        done, time.monotonic() - started, rf"{released.name}:v1 is in the registry already, with the digest {digest}"
    )


def test_missing_credentials_are_refused_at_once(make, tmp_path):
    with running_registry(tmp_path / "locked", password=True) as locked:
        started = time.monotonic()
        done = make(locked.host, DOCKER_CONFIG=str(tmp_path / "none"))
        refused(done, time.monotonic() - started, rf"registry {locked.host} .*401.*docker login {locked.host}")
    started = time.monotonic()
    refused(make(locked.host), time.monotonic() - started, f"registry {locked.host} does not answer")


def test_platform_without_emulator_or_base_is_refused(make, registry, tmp_path):
    """The stand-in for NVIDIA's image has one platform, and is in no registry. NVIDIA's images have both."""
    done = make(registry.host, PLATFORMS)
    expected = (2, "linux/arm64: an image for it cannot be proven")
    if runs_here("linux/arm64", tmp_path):
        expected = (7, "base image .* cannot be found for linux/arm64")
    assert (done.returncode, done.stdout) == (expected[0], ""), done.stderr
    assert re.search(expected[1], done.stderr.splitlines()[-1])


def test_failed_push_is_continued_by_the_command_in_the_message(engine, make, released, registry):
    """The registry has the layers of `released` already, so that the two pushes are short, and its cache."""
    name = released.name
    with FaultyRegistry(registry.host) as proxy:
        proxy.fault = "full"
        done = make(proxy.host, CACHE)
        assert (done.returncode, done.stdout) == (9, ""), done.stderr
        failed = rf"error: the push of {proxy.host}/team/{name}:image-[0-9a-f]{{12}} failed \(denied: quota exceeded\)"
        assert re.match(failed, done.stderr.splitlines()[-1]), done.stderr
        assert "v3" not in [*registry.tags(f"team/{name}"), *proxy.pushed()]
        assert engine.has(f"{proxy.host}/team/{name}:v3") and (BUILD / name / "v3").is_dir()
        assert f"importing cache manifest from {proxy.host}/team/{name}:v1" in done.stderr
        proxy.fault = ""
        [command] = re.findall(r"is kept; continue with: (.*)", done.stderr)
        again = bash(command)
        assert again.returncode == 0, again.stderr
        assert re.fullmatch(rf"{proxy.host}/team/{name}@{DIGEST}\n", again.stdout)
        assert proxy.pushed()[-1] == "v3", "the tag is set last"
        assert_sbom_and_provenance_are_attached(parse_reference(again.stdout.strip()), BUILD / name / "v3")
    assert inspect(f"{registry.host}/team/{name}:v3")["Digest"] == again.stdout.strip().partition("@")[2]
