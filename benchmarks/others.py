"""How others serve the model: each function prepares one of them, as Contestant.prepare says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import repositories, servers
from benchmarks.contestant import Start, Target, UnavailableError, target, why
from benchmarks.environments import INFINITY, MLSERVER
from benchmarks.loads import PROTOCOLS
from utils.host import environment
from utils.host.environments import Environment
from utils.host.errors import UsageError
from utils.triton.ports import choose_ports


def _ensemble(model: Path) -> Path:
    return repositories.build(model, "benchmark-ensemble", "--layout", "ensemble") / "model_repository"


def documented(model: Path, folder: Path) -> Start:
    """The ensemble of tutorials, on Triton alone."""
    repository = repositories.documented(model, _ensemble(model), folder / "repository")

    @contextmanager
    def start() -> Iterator[Target]:
        with servers.triton(repository, folder / "server.log") as server:
            yield target(server, {protocol: (protocol, repositories.DOCUMENTED) for protocol in PROTOCOLS})

    return start


def fixed_padding(model: Path, folder: Path) -> Start:
    """The graph alone; the clients bring tokens."""
    repository = _ensemble(model)

    @contextmanager
    def start() -> Iterator[Target]:
        with servers.triton(repository, folder / "server.log") as server:
            yield target(server, {"grpc": ("tokens", f"model_onnx@{model}")})

    return start


def _web(kind: str, ready: str, command: list[str], settings: dict[str, str], folder: Path) -> Start:
    @contextmanager
    def start() -> Iterator[Target]:
        with servers.web(command, folder / "server.log", ready=ready, settings=settings) as server:
            yield target(server, {"http": (kind, "")})

    return start


def fastapi(model: Path, folder: Path) -> Start:
    """benchmarks/fastapi_app.py behind uvicorn."""
    command = [sys.executable, "-m", "uvicorn", "benchmarks.fastapi_app:app", "--port", "{port}", "--no-access-log"]
    return _web("fastapi", "/ready", command, {"MODEL": str(model)}, folder)


def _installed(needed: Environment) -> Path:
    """The folder of its programs; where it cannot be installed, the installer's last word is the reason."""
    try:
        return environment.ensure(needed).parent
    except UsageError as error:
        files = [argument for file in needed.requirements for argument in ("-r", str(file))]
        command = [str(needed.python), "-m", "pip", "install", "--dry-run", "--quiet", *files]
        refusal = subprocess.run(command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).stderr
        raise UnavailableError(f"not installable: {why(refusal)}") from error


def infinity(model: Path, folder: Path) -> Start:
    """infinity-emb in its own environment."""
    command = [str(_installed(INFINITY) / "infinity_emb"), "v2", "--model-id", str(model), "--port", "{port}"]
    command += ["--host", servers.HOST, "--engine", "torch", "--device", "cpu", "--no-bettertransformer"]
    settings = {"DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0", "HF_HUB_OFFLINE": "1"}
    return _web("infinity", "/health", [*command, "--served-model-name", "benchmark"], settings, folder)


def mlserver(model: Path, folder: Path) -> Start:
    """MLServer in its own environment."""
    program = _installed(MLSERVER) / "mlserver"
    extra = {"task": "text-classification", "pretrained_model": str(model), "framework": "pt"}
    implementation = "mlserver_huggingface.HuggingFaceRuntime"
    described = {"name": "benchmark", "implementation": implementation, "parameters": {"extra": extra}}
    (folder / "model-settings.json").write_text(json.dumps(described), encoding="utf-8")

    @contextmanager
    def start() -> Iterator[Target]:
        ports = choose_ports(servers.HOST, dict.fromkeys(("GRPC", "METRICS"), 0))
        settings = {f"MLSERVER_{service}_PORT": str(port) for service, port in ports.items()}
        settings |= {"MLSERVER_HOST": servers.HOST, "MLSERVER_HTTP_PORT": "{port}", "HF_HUB_OFFLINE": "1"}
        settings |= {f"MLSERVER_{name}_DIR": str(folder / name) for name in ("ENVIRONMENTS", "METRICS")}
        command = [str(program), "start", str(folder)]
        with _web("mlserver", "/v2/health/ready", command, settings, folder)() as target:
            yield target

    return start
