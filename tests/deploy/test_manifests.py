"""The generated manifests against the schemas of Kubernetes, KServe, KEDA, Prometheus Operator and Compose.

There is no cluster here: no controller reads the files, and rules that only an API server or an admission webhook
applies are not checked. `kubectl kustomize` builds the kustomizations without a cluster.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import check_jsonschema
import jsonschema
import kubernetes_validate
import pytest
import yaml

from deploy.supervisor.settings import Settings
from utils import ROOT
from utils.proof import measured
from utils.release.manifests import write_manifests
from utils.repository.context import Context
from utils.repository.pipeline import Pipeline

REFERENCE = f"localhost:5000/team/topics@sha256:{'b' * 64}"
CORE = ("v1", "apps/v1", "policy/v1", "networking.k8s.io/v1", "autoscaling/v2")
CUSTOM = {
    (each["apiVersion"], each["kind"]): each["openAPIV3Schema"]
    for each in (json.loads(file.read_text()) for file in (ROOT / "tests/deploy/crds").glob("*.json"))
}
KINDS = {
    "kubernetes": {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "HorizontalPodAutoscaler",
                   "ServiceMonitor"},
    "keda": {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "ScaledObject"},
    "kserve": {"ServingRuntime", "InferenceService"},
}  # fmt: skip
BUILDS = [("cpu", 300 << 20, ()), ("gpu", 9 << 30, ()), ("cpu", None, ("tei",))]


@pytest.fixture(params=BUILDS, ids=["cpu", "gpu", "unproven"])
def tree(request, tmp_path):
    device, peak, api = request.param
    pipeline = Pipeline(model_name="3.topics_x", max_batch_size=8, layout="none", inputs=(), outputs=(), steps=())
    context = Context(
        pipeline=pipeline,
        image="tritoned_topics:1.10",
        device=device,
        docker={"machine": "x86_64"},
        oci_labels={},
        api=api,
    )
    if peak:
        measured.add(tmp_path, peak_memory_bytes=peak)
    write_manifests(tmp_path, context, REFERENCE)
    return tmp_path / "deploy"


@pytest.mark.parametrize(("tree", "ports"), [(BUILDS[0], []), (BUILDS[2], [8080])], indirect=["tree"])
def test_the_port_of_other_apis_is_open_in_images_that_have_them(tree, ports):
    (container,) = of_kind(tree, "kubernetes", "Deployment")["spec"]["template"]["spec"]["containers"]
    assert [each["containerPort"] for each in container["ports"]][3:] == ports
    published = yaml.safe_load((tree / "compose.yaml").read_text())["services"]["triton"]["ports"]
    assert published[3:] == [f"127.0.0.1:${{API_PORT:-{port}}}:{port}" for port in ports]


def of_kind(tree, folder, kind):
    return yaml.safe_load((tree / folder / f"{kind.lower()}.yaml").read_text())


def strict(schema):
    """The schema without unknown fields: an API server drops them in silence."""
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items() if key != "properties"}
    if "properties" in schema:
        closed["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed["additionalProperties"] = False
    return closed


@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_core_kinds(tree, version):
    found = set()
    for file in (tree / "kubernetes").glob("*.yaml"):
        resource = yaml.safe_load(file.read_text())
        if resource["apiVersion"] in CORE:
            kubernetes_validate.validate(resource, version, strict=True)
            found.add(resource["kind"])
    assert found == KINDS["kubernetes"] - {"ServiceMonitor"}


def test_custom_resources(tree):
    found = set()
    for file in tree.glob("*/*.yaml"):
        resource = yaml.safe_load(file.read_text())
        if schema := CUSTOM.get((resource["apiVersion"], resource["kind"])):
            validator = jsonschema.Draft202012Validator(strict(schema))
            validator.validate(resource)
            found.add(resource["kind"])
            resource["spec"]["typo"] = 1
            with pytest.raises(jsonschema.ValidationError, match="typo"):
                validator.validate(resource)
    assert found == {"ServingRuntime", "InferenceService", "ScaledObject", "ServiceMonitor"}


def test_compose(tree):
    """By the schema of the Compose specification, which version 2 reads, and by 1.29; tests/image runs the file."""
    vendored = Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor/compose-spec.json"
    jsonschema.validate(yaml.safe_load((tree / "compose.yaml").read_text()), json.loads(vendored.read_text()))
    done = subprocess.run(["docker-compose", "-f", tree / "compose.yaml", "config"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["services"]["triton"]["image"] == REFERENCE


def kubectl(*arguments):
    program = shutil.which("kubectl", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not program:
        pytest.fail("no kubectl; set up the environment again: ./run_tests.sh")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize("folder", KINDS)
def test_kustomize_builds(tree, folder):
    done = kubectl("kustomize", tree / folder)
    assert (done.returncode, done.stderr) == (0, "")
    resources = list(yaml.safe_load_all(done.stdout))
    assert {each["kind"] for each in resources} == KINDS[folder] and len(resources) == len(KINDS[folder])
    assert {each["metadata"]["name"] for each in resources} == {"model-3-topics-x"}
    assert done.stdout.count(REFERENCE) == 1


def test_the_overlay_of_the_page_builds(tree, tmp_path):
    page = (ROOT / "docs/deploy.md").read_text()
    overlay = re.search(r"(?s)```\n# overlay/kustomization.yaml\n(.*?)```", page)[1]
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/kustomization.yaml").write_text(overlay)
    (tmp_path / "build/topics").mkdir(parents=True)
    (tmp_path / "build/topics/v1").symlink_to(tree.parent)
    done = kubectl("kustomize", tmp_path / "overlay")
    assert (done.returncode, done.stderr) == (0, "")
    resources = {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}
    assert {each["metadata"]["namespace"] for each in resources.values()} == {"production"}
    scaler = resources["HorizontalPodAutoscaler"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 30)


def test_selectors_and_ports_meet_the_pods(tree):
    get = functools.partial(of_kind, tree, "kubernetes")
    template = get("Deployment")["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert ports.items() - {("api", 8080)} == {("http", 8000), ("grpc", 8001), ("metrics", 8002)}
    service, policy = get("Service"), get("NetworkPolicy")["spec"]
    for selector in (
        get("Deployment")["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        get("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        policy["podSelector"]["matchLabels"],
        template["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector and selector.items() <= labels
        assert "app.kubernetes.io/version" not in selector, "a new version replaces the pods of the old one"
    assert {port["name"]: port["targetPort"] for port in service["spec"]["ports"]} == {name: name for name in ports}
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == set(ports)
    monitor = get("ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in ports
    assert get("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == get("Deployment")["metadata"]["name"]
    scaled = of_kind(tree, "keda", "ScaledObject")
    assert scaled["spec"]["scaleTargetRef"]["name"] == get("Deployment")["metadata"]["name"]
    runtime, service = of_kind(tree, "kserve", "ServingRuntime"), of_kind(tree, "kserve", "InferenceService")
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"] in runtime["spec"]["supportedModelFormats"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]


def test_the_pod_is_hardened_and_has_the_time_that_the_supervisor_takes(tree):
    """Deployment and KServe run the same container; the pod settings of KServe are in the InferenceService."""
    pod = of_kind(tree, "kubernetes", "Deployment")["spec"]["template"]["spec"]
    predictor = of_kind(tree, "kserve", "InferenceService")["spec"]["predictor"]
    container = dict(pod["containers"][0], name="kserve-container")
    assert of_kind(tree, "kserve", "ServingRuntime")["spec"]["containers"] == [container]
    for settings in (pod, predictor):
        assert settings["terminationGracePeriodSeconds"] >= 5 + Settings.drain_seconds + 2
        assert settings["securityContext"] == {
            "runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"},
        }  # fmt: skip
        assert settings["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > Settings.start_seconds
    assert (ROOT / "deploy" / Path(container["livenessProbe"]["exec"]["command"][-1]).name).is_file()
    volumes = {volume["name"]: volume["emptyDir"]["medium"] for volume in pod["volumes"]}
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]} == {
        "tmp": "/tmp", "shared-memory": "/dev/shm",
    }  # fmt: skip
    assert volumes == {"tmp": "Memory", "shared-memory": "Memory"}


def test_the_query_of_keda_counts_the_waiting_requests_of_this_service(tree, tmp_path):
    query = of_kind(tree, "keda", "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]
    waiting = "nv_inference_pending_request_count"
    series = [
        {"series": f'{waiting}{{service="model-3-topics-x",pod="a",model="m"}}', "values": "12x20"},
        {"series": f'{waiting}{{service="model-3-topics-x",pod="b",model="m"}}', "values": "4x20"},
        {"series": f'{waiting}{{service="other",pod="c",model="m"}}', "values": "100x20"},
    ]
    expected = {"expr": query, "eval_time": "2m", "exp_samples": [{"labels": "{}", "value": 16}]}
    test = {"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [expected]}]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "test.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
