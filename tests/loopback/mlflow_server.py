"""A real MLflow server on loopback: its Flask application, with a database and artifacts below a folder.

    with running_mlflow(folder) as url:
        log_model(url, model_folder, folder)

It runs in the environment "mlflow-server" by waitress. `mlflow server` also starts processes for jobs, which it hides.
"""

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from utils.host import environment
from utils.host.environments import ENVIRONMENTS

START_SECONDS = 120.0
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "NO_PROXY": "127.0.0.1"}
_SERVE = """
from pathlib import Path
from mlflow.server import app
from waitress import create_server
server = create_server(app, host="127.0.0.1", port=0, threads=8)
Path("port.new").write_text(str(server.effective_port))
Path("port.new").rename("port")
server.run()
"""
# What mlflow.transformers.save_model() writes of a pipeline: the model and the tokenizer in two folders.
FLAVOURS = """flavors:
  transformers:
    components: [tokenizer]
    framework: pt
    instance_type: TextClassificationPipeline
    model_binary: model
    pipeline_model_type: BertForSequenceClassification
    source_model_name: team/topics
    task: text-classification
    tokenizer_type: BertTokenizerFast
"""
# Of the tokenizer; all others are the model's.
TOKENIZER_FILES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_LOG = """
import json, sys
from mlflow import MlflowClient
folder, name, alias = sys.argv[1:]
client = MlflowClient()
experiment = client.get_experiment_by_name(name)
run = client.create_run(experiment.experiment_id if experiment else client.create_experiment(name)).info.run_id
client.log_artifacts(run, folder, "model")
if not client.search_registered_models(f"name = '{name}'"):
    client.create_registered_model(name)
version = client.create_model_version(name, f"runs:/{run}/model", run).version
client.set_registered_model_alias(name, alias, version)
print(json.dumps([run, str(version)]))
"""


@contextlib.contextmanager
def running_mlflow(folder: Path) -> Iterator[str]:
    """The server's address while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    store = f"sqlite:///{folder}/mlflow.db"
    variables = {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    python = environment.ensure(ENVIRONMENTS["mlflow-server"])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(python), "-c", _SERVE],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **QUIET, **variables},
            cwd=folder,
        )
    try:
        yield _address(process, folder)
    finally:
        process.kill()
        process.wait(timeout=30)


def _address(process: "subprocess.Popen[bytes]", folder: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while not (folder / "port").exists():
        log = (folder / "log").read_text(errors="replace")[-500:]
        assert process.poll() is None and time.monotonic() < until, f"MLflow does not start: {log}"
        time.sleep(0.1)
    url = f"http://127.0.0.1:{(folder / 'port').read_text()}"
    # The first request of this kind creates the tables.
    with urllib.request.urlopen(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0", timeout=START_SECONDS):
        return url


def transformers_layout(model: Path, folder: Path) -> Path:
    """The files of `model` in `folder` as the flavour transformers has them."""
    for path in (path for path in model.rglob("*") if path.is_file()):
        place = "components/tokenizer" if path.name in TOKENIZER_FILES else "model"
        target = folder / place / path.relative_to(model)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (folder / "MLmodel").write_text(FLAVOURS)
    return folder


def log_model(url: str, folder: Path, name: str = "topics", alias: str = "champion") -> tuple[str, str]:
    """Logs the files to a run, registers them, and sets the alias; (run id, version)."""
    python = environment.ensure(ENVIRONMENTS["mlflow"])
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", _LOG, str(folder), name, alias],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **QUIET, "MLFLOW_TRACKING_URI": url},
    )
    assert done.returncode == 0, done.stderr
    run, version = json.loads(done.stdout.splitlines()[-1])
    return run, version
