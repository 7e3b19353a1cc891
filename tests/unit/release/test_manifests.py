"""The files of a build for Compose, Kubernetes, KServe and KEDA; tests/deploy/test_manifests.py checks their form."""

from dataclasses import replace

import pytest
import yaml

from utils.host.errors import ReleaseError
from utils.proof import measured
from utils.proof.measured import MEASURED_FILE
from utils.release.manifests import kubernetes_name, label_value, write_manifests
from utils.repository.accelerators import ENGINES_FOLDER
from utils.repository.context import Context

MIB = 1 << 20
TAG = "tritoned_topics:v1"
DIGEST = f"registry.example.org:5000/team/topics@sha256:{'0a' * 32}"


@pytest.fixture
def context(make_pipeline):
    pipeline = make_pipeline(model_name="topics", max_batch_size=8)
    return Context(pipeline=pipeline, image=TAG, device="cpu", docker={"machine": "aarch64"}, oci_labels={})


def written(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def container(tree):
    deployment = yaml.safe_load((tree / "deploy/kubernetes/deployment.yaml").read_text())
    return deployment["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("model_name", "name"),
    [
        ("topics", "topics"),
        ("ensemble_model", "ensemble-model"),
        ("support.topics__v2", "support-topics--v2"),
        ("3b", "model-3b"),
        ("a" * 40, "a" * 40),
        ("a" * 41, f"{'a' * 31}-c0f8bd4d"),
    ],
)
def test_a_name_is_a_dns_label(model_name, name):
    assert kubernetes_name(model_name) == name


@pytest.mark.parametrize(
    ("tag", "value"), [("v1.0_rc-1", "v1.0_rc-1"), ("_x_", "x"), ("___", ""), ("a" * 62 + "-b", "a" * 62)]
)
def test_a_tag_as_the_value_of_a_label(tag, value):
    assert label_value(tag) == value


def test_equal_builds_give_equal_bytes_and_a_push_changes_the_image_only(context, tmp_path):
    for name, reference in (("one", TAG), ("two", TAG), ("pushed", DIGEST)):
        (tmp_path / name).mkdir()
        measured.add(tmp_path / name, peak_memory_bytes=300 * MIB)
        write_manifests(tmp_path / name, context, reference)
    (tmp_path / "two/deploy/kubernetes/stale.yaml").touch()
    write_manifests(tmp_path / "two", context, TAG)
    one, two, pushed = (written(tmp_path / name) for name in ("one", "two", "pushed"))
    assert one == two
    assert {name: text.replace(DIGEST.encode(), TAG.encode()) for name, text in pushed.items()} == one
    assert {name for name in one if one[name] != pushed[name]} == {
        "deploy/compose.yaml", "deploy/kubernetes/deployment.yaml", "deploy/kserve/servingruntime.yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("peak", "request_mib", "limit_mib"),
    [
        (300 * MIB, 320, 640 + 512 + 64 + 64),
        (320 * MIB, 320, 640 + 512 + 64 + 64),
        (320 * MIB + 1, 384, 704 + 512 + 64 + 64),
    ],
)
def test_memory_follows_from_the_boot_proof(context, tmp_path, peak, request_mib, limit_mib):
    measured.add(tmp_path, peak_memory_bytes=peak)
    write_manifests(tmp_path, context, TAG)
    assert container(tmp_path)["resources"] == {
        "requests": {"cpu": "2", "memory": f"{request_mib}Mi"},
        "limits": {"cpu": "2", "memory": f"{limit_mib}Mi"},
    }
    compose = yaml.safe_load((tmp_path / "deploy/compose.yaml").read_text())
    assert compose["services"]["triton"]["mem_limit"] == f"{limit_mib}m"


def test_without_a_measurement_no_memory_is_stated(context, tmp_path):
    (tmp_path / "proven").mkdir()
    measured.add(tmp_path / "proven", peak_memory_bytes=None)
    for tree in (tmp_path / "unproven", tmp_path / "proven"):
        write_manifests(tree, context, TAG)
        assert container(tree)["resources"] == {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}
        assert "mem_limit" not in (tree / "deploy/compose.yaml").read_text()


@pytest.mark.parametrize("text", ["", "[]", '{"peak_memory_bytes": "much"}'])
def test_a_damaged_measurement_is_refused(context, tmp_path, text):
    (tmp_path / MEASURED_FILE).write_text(text)
    with pytest.raises(ReleaseError, match="prove the image again"):
        write_manifests(tmp_path, context, TAG)


@pytest.mark.parametrize(("gpus", "count"), [((), 1), ((0,), 1), ((1, 3), 4)])
def test_gpus(context, tmp_path, gpus, count):
    """GPUs are numbered from 0 in a pod, so the highest number of the model's GPUs decides."""
    steps = tuple(replace(step, gpus=gpus) for step in context.pipeline.steps)
    gpu = replace(context, device="gpu", pipeline=replace(context.pipeline, steps=steps))
    write_manifests(tmp_path, gpu, TAG)
    assert container(tmp_path)["resources"] == {"requests": {"cpu": "2"}, "limits": {"nvidia.com/gpu": count}}
    compose = yaml.safe_load((tmp_path / "deploy/compose.yaml").read_text())
    devices = compose["services"]["triton"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]


def test_engines_have_a_volume_beside_the_read_only_root(context, tmp_path, make_pipeline):
    write_manifests(tmp_path, context, TAG)
    assert "engines" not in {each["name"] for each in container(tmp_path)["volumeMounts"]}
    pipeline = make_pipeline(engine="tensorrt", instance_kind="KIND_GPU")
    write_manifests(tmp_path, replace(context, device="gpu", pipeline=pipeline), TAG)
    mounts = {each["name"]: each["mountPath"] for each in container(tmp_path)["volumeMounts"]}
    assert mounts["engines"] == ENGINES_FOLDER
    pod = yaml.safe_load((tmp_path / "deploy/kubernetes/deployment.yaml").read_text())["spec"]["template"]["spec"]
    assert {"name": "engines", "emptyDir": {}} in pod["volumes"]
    compose = yaml.safe_load((tmp_path / "deploy/compose.yaml").read_text())
    assert compose["services"]["triton"]["volumes"] == [f"engines:{ENGINES_FOLDER}"]
    assert compose["volumes"] == {"engines": {}}


@pytest.mark.parametrize(("architectures", "shown"), [((), ["arm64"]), (("amd64", "arm64"), ["amd64", "arm64"])])
def test_pods_run_on_the_architectures_of_the_image(context, tmp_path, architectures, shown):
    write_manifests(tmp_path, context, TAG, architectures)
    deployment = yaml.safe_load((tmp_path / "deploy/kubernetes/deployment.yaml").read_text())
    affinity = deployment["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": shown}]}]


@pytest.mark.parametrize(("max_batch_size", "threshold"), [(0, "1"), (1, "1"), (32, "32")])
def test_a_replica_is_added_when_more_than_one_batch_waits(context, tmp_path, max_batch_size, threshold):
    pipeline = replace(context.pipeline, max_batch_size=max_batch_size)
    write_manifests(tmp_path, replace(context, pipeline=pipeline), TAG)
    scaler = yaml.safe_load((tmp_path / "deploy/kubernetes/horizontalpodautoscaler.yaml").read_text())
    assert scaler["spec"]["metrics"][0]["pods"]["target"]["averageValue"] == threshold
    scaled = yaml.safe_load((tmp_path / "deploy/keda/scaledobject.yaml").read_text())
    assert scaled["spec"]["triggers"][0]["metadata"]["threshold"] == threshold
