"""Stage 8 on a fake engine that records its calls; a real one is used in tests/image."""

import contextlib
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from utils import image as command
from utils.docker import context as docker_context
from utils.docker import image
from utils.docker.client import BUILT_IN
from utils.host import digest
from utils.host.errors import BootProofError, UsageError
from utils.proof import measured
from utils.proof.golden import GoldenAnswers, GoldenRow, texts
from utils.proof.golden_file import write_golden
from utils.proof.measured import Measured
from utils.repository.context import Context, read_context, write_context
from utils.repository.pipeline import Accelerator, Pipeline, Step
from utils.triton.address import ServerAddress

ADDRESS = ServerAddress(http="127.0.0.1:1", grpc="127.0.0.1:2")
WHEEL = "wheelhouse/a-1-py3-none-any.whl"


class RecordingEngine:
    # It lists an image without libraries.
    client = SimpleNamespace(
        builder=BUILT_IN, run=lambda *_, **__: SimpleNamespace(returncode=0, stdout="[]", stderr="")
    )

    def __init__(self):
        self.calls = []

    def pull_if_missing(self, name):
        self.calls.append(("pull", name))

    def build(self, tree, *, build_args, labels, no_cache, options=()):
        self.calls.append(("build", build_args["RUNTIME"], labels, no_cache, *options))
        return "sha256:new"

    def image_size(self, name):
        return 1_000_000

    def layers(self, name):
        return (("COPY weights/ /", 900_000),)

    def platform(self, name):
        return "linux/amd64"

    @contextlib.contextmanager
    def run(self, image_id, *, options=(), has_api=False, **limits):
        self.calls.append(("run", image_id, (*options, *(["api"] if has_api else []), *limits.items())))
        yield SimpleNamespace(
            address=ADDRESS, log_text=lambda: "first\nlast\n", peak_memory=lambda: 7, ready_seconds=1.5
        )
        self.calls.append(("stopped",))

    def tag(self, image_id, reference):
        self.calls.append(("tag", image_id, reference))

    def remove(self, image_id):
        self.calls.append(("remove", image_id))


def make_tree(folder, *, device="cpu", runtime="slim"):
    for name in (
        *docker_context.FILES,
        "golden.json",
        WHEEL,
        "weights/m/1/model.onnx",
        "model_repository/m/config.pbtxt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for name in (docker_context.OPTIONAL_CODE, docker_context.OPTIONAL_SETTINGS):
        (folder / name).mkdir(parents=True)
    answer = {"y": texts(["b"])}
    row = GoldenRow(model="m", batched=True, inputs={"x": texts(["a"])}, outputs=answer)
    write_golden(GoldenAnswers(rows=(row,), comparison="tensors"), folder)
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr("a-1.dist-info/METADATA", "Metadata-Version: 2.4\n")
    (folder / "requirements-serving.txt").write_text(f"a==1 --hash=sha256:{digest.of_file(folder / WHEEL)}\n")
    pipeline = Pipeline(model_name="m", max_batch_size=1, layout="none", inputs=(), outputs=(), steps=())
    docker = {"triton_image": "triton:1", "slim_image": "slim:1", "runtime": runtime}
    labels = {"k": "v"}
    write_context(
        Context(pipeline=pipeline, image="topics:v1", device=device, docker=docker, oci_labels=labels), folder
    )
    return folder


def build(tree, engine, **options):
    defaults = {"no_cache": False, "verify": True, "prove": lambda address: None}
    return image.build_and_prove(tree, engine=engine, **(defaults | options))


def test_order_is_pull_build_prove_tag(tmp_path):
    engine, proven = RecordingEngine(), []
    assert build(make_tree(tmp_path), engine, prove=proven.append) == "sha256:new"
    assert proven == [ADDRESS]
    assert engine.calls == [
        ("pull", "triton:1"),
        ("pull", "slim:1"),
        ("build", "slim", {"k": "v"}, False),
        ("run", "sha256:new", ()),
        ("stopped",),
        ("tag", "sha256:new", "topics:v1"),
    ]
    assert measured.read(tmp_path) == Measured(peak_memory_bytes=7, ready_seconds=1.5)


def test_gpu_image_is_proven_on_a_gpu(tmp_path):
    engine = RecordingEngine()
    build(make_tree(tmp_path, device="gpu", runtime="full"), engine)
    assert ("run", "sha256:new", ("--gpus", "all")) in engine.calls
    assert ("pull", "slim:1") not in engine.calls


def test_an_image_that_builds_engines_has_a_folder_and_time_for_them(tmp_path):
    """The root of a proof is read-only, and ONNX Runtime does not load a graph if it cannot create its folder."""
    engine = RecordingEngine()
    context = read_context(make_tree(tmp_path, device="gpu", runtime="full") / "context.json")
    step = Step(
        model_name="m",
        component="model_onnx",
        max_batch_size=1,
        inputs=(),
        outputs=(),
        accelerator=Accelerator(name="tensorrt", parameters={}),
    )
    build(tmp_path, engine, context=replace(context, pipeline=replace(context.pipeline, steps=(step,))))
    options = ("--gpus", "all", "--tmpfs", "/opt/engines", ("ready_within", 600.0))
    assert ("run", "sha256:new", options) in engine.calls


def test_cpu_image_on_the_full_base_requests_no_gpu(tmp_path):
    engine = RecordingEngine()
    build(make_tree(tmp_path, runtime="full"), engine)
    assert ("run", "sha256:new", ()) in engine.calls


def test_an_image_with_routes_is_proven_through_their_port(tmp_path):
    engine = RecordingEngine()
    build(tmp_path, engine, context=replace(read_context(make_tree(tmp_path) / "context.json"), api=("tei",)))
    assert ("run", "sha256:new", ("api",)) in engine.calls


def test_no_verify_starts_nothing(tmp_path):
    engine = RecordingEngine()
    context = replace(read_context(make_tree(tmp_path) / "context.json"), image="other/name:2")
    build(tmp_path, engine, verify=False, no_cache=True, context=context)
    assert [step[0] for step in engine.calls] == ["pull", "pull", "build", "tag"]
    assert engine.calls[-1] == ("tag", "sha256:new", "other/name:2")


def test_wrong_answer_is_not_tagged(tmp_path, capsys):
    engine = RecordingEngine()

    def refuse(address):
        raise BootProofError("wrong label")

    with pytest.raises(BootProofError, match="wrong label"):
        build(make_tree(tmp_path), engine, prove=refuse)
    assert engine.calls[-1] == ("remove", "sha256:new")
    assert "tag" not in [step[0] for step in engine.calls]
    assert ":\n  first\n  last\n" in capsys.readouterr().err


def test_incomplete_tree_is_refused(tmp_path):
    (make_tree(tmp_path) / "Dockerfile").unlink()
    with pytest.raises(UsageError, match="lacks Dockerfile;"):
        build(tmp_path, RecordingEngine())


def test_each_platform_has_its_bases_its_wheels_and_its_tag(tmp_path, monkeypatch):
    engine, written = RecordingEngine(), []
    engine.platform = {"sha256:1": "linux/arm64", "sha256:2": "linux/amd64"}.get
    identities = iter(["sha256:1", "sha256:2"])
    monkeypatch.setattr(engine, "build", lambda *_, options=(), **__: engine.calls.append(options) or next(identities))
    monkeypatch.setattr(docker_context, "write", lambda _, plan, *__, **___: written.append(plan["machine"]))
    plans = [
        {
            "triton_image": f"triton:{machine}",
            "slim_image": "s:1",
            "runtime": "full",
            "platform": name,
            "machine": machine,
        }
        for name, machine in (("linux/amd64", "x86_64"), ("linux/arm64", "aarch64"))
    ]
    context = replace(read_context(make_tree(tmp_path) / "context.json"), docker=plans[0], further=(plans[1],))
    write_context(context, tmp_path)
    images = image.build_and_prove_each(tmp_path, engine=engine, no_cache=False, verify=False, cache_options=["--x"])
    assert images == {"linux/arm64": "sha256:1", "linux/amd64": "sha256:2"}
    assert written == ["aarch64", "x86_64"], "the tree ends as the context of the first platform"
    assert engine.calls == [
        ("pull", "triton:aarch64"),
        ["--platform", "linux/arm64", "--x"],
        ("tag", "sha256:1", "topics:v1-arm64"),
        ("pull", "triton:x86_64"),
        ["--platform", "linux/amd64", "--x"],
        ("tag", "sha256:2", "topics:v1"),
    ]


@pytest.mark.parametrize("argv", [[], ["a", "b"], ["a", "--image", "Bad Name"], ["a", "--no-such"]])
def test_invalid_command_line(argv):
    with pytest.raises(UsageError):
        command.parse_arguments(argv)


def test_command_line(tmp_path):
    options = command.parse_arguments([str(tmp_path), "--no-verify", "--image", "host:5000/a/b:c"])
    assert options == command.Options(
        tree=tmp_path, no_cache=False, verify=False, measure=True, image="host:5000/a/b:c"
    )


def test_command_prints_the_reference(tmp_path, monkeypatch):
    engine = RecordingEngine()
    monkeypatch.setattr(command, "connect", lambda: engine)
    monkeypatch.setattr(command, "proof_of", lambda *_, **__: lambda address: None)
    assert command.run(command.parse_arguments([str(make_tree(tmp_path))])) == "topics:v1"
    assert command.run(command.parse_arguments([str(tmp_path), "--image", "b:2"])) == "b:2"
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sections"]["built"]["platforms"] == {"linux/amd64": "sha256:new"}
    assert "b:2" in (tmp_path / "report.html").read_text()
    assert 'image: "b:2"' in (tmp_path / "deploy/compose.yaml").read_text()
