"""The routes of --api with the clients that speak them: one build each for embeddings and labels, proven and served."""

import asyncio
import base64
import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import httpx
import jsonschema
import numpy as np
import openai
import pytest
from huggingface_hub import InferenceClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from benchmarks.api import FIGURES
from tests import tiny_models
from tests.sentence_folders import embedder, pooling
from tests.server.task_requests import build
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.triton.api import serve_api
from utils.triton.server import read_settings

PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
KEYS = ("first-key-0123456789", "second-key-0123456789")
PROMPTS = {"query": "I would like: ", "passage": ""}


def embeddings(folder):
    return embedder(tiny_models.bert(folder), [pooling("mean")], {"prompts": PROMPTS})


CASES = {
    "feature-extraction": (embeddings, ("--dimensions", "32,16", "--api", "openai,tei")),
    "text-classification": (tiny_models.bert, ("--top-k", "2", "--api", "tei")),
}


class Api:
    """A running API process, its build tree, the folder of the model, and what the build printed."""

    def __init__(self, address, tree, folder, printed):
        self.tree, self.model, self.folder, self.printed = tree, tree.parent.name, folder, printed
        self.url = f"http://{address}"

    def golden(self, **parameters):
        """(texts, answers) of the golden rows with these parameters."""
        rows = json.loads((self.tree / "golden.json").read_text())["rows"]
        rows = [row for row in rows if row.get("parameters", {}) == parameters]
        return [row["inputs"]["text_input"]["data"][0] for row in rows], [row["outputs"] for row in rows]

    def embeddings(self, **parameters):
        texts, answers = self.golden(**parameters)
        return texts, np.array([answer["embedding"]["data"] for answer in answers])


@pytest.fixture(scope="module")
def served(tmp_path_factory, serve_repository):
    """served(task): an Api with two keys, the same one each time."""
    folder, made, stacks = tmp_path_factory.mktemp("api"), {}, []
    (folder / "keys").write_text("\n".join(KEYS))

    def start(task):
        if task not in made:
            make, options = CASES[task]
            model, name = make(folder / task), f"test-api-{task}"
            done = build(model, model, "-", name, "v1", 4, "--task", task, "--no-measure", *options)
            assert done.returncode == 0, done.stderr
            tree = BUILD / name / "v1"
            limits = replace(read_settings(), api_address="127.0.0.1", api_port=0, api_keys_file=str(folder / "keys"))
            server = serve_repository(tree / "model_repository").address
            stacks.append(serve_api(tree / "api.json", tree / "model_repository", server, limits))
            made[task] = Api(stacks[-1].__enter__().api, tree, model, done.stderr)
        return made[task]

    yield start
    for stack in stacks:
        stack.__exit__(None, None, None)
    for api in made.values():
        shutil.rmtree(api.tree.parent)


@pytest.fixture
def embedding(served):
    return served("feature-extraction")


def test_the_boot_proof_sends_requests_through_the_routes(embedding):
    record = json.loads((embedding.tree / "build.json").read_text())
    assert record["proof"]["api_requests"] > record["proof"]["requests"]
    assert f"{record['proof']['api_requests']} through the routes of --api" in embedding.printed


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
@pytest.mark.parametrize("dimensions", [None, 16])
def test_openais_client_gets_the_golden_embeddings(embedding, encoding, dimensions):
    chosen = {} if dimensions is None else {"dimensions": dimensions}
    texts, right = embedding.embeddings(**chosen)
    with openai.OpenAI(base_url=f"{embedding.url}/v1", api_key=KEYS[0], max_retries=0) as client:
        encoded = {} if encoding is None else {"encoding_format": encoding}
        answer = client.embeddings.create(model=embedding.model, input=texts, **encoded, **chosen)
    data = [each.embedding for each in answer.data]
    if encoding == "base64":  # asked for by the user: the client leaves it as it is
        data = [np.frombuffer(base64.b64decode(each), "<f4") for each in data]
    np.testing.assert_allclose(np.array(data), right, atol=1e-5)


def test_more_texts_than_the_largest_batch_keep_their_order(embedding):
    texts, right = embedding.embeddings()
    assert len(texts) > 4 * 4
    with openai.OpenAI(base_url=f"{embedding.url}/v1", api_key=KEYS[1]) as client:
        answer = client.embeddings.create(model=embedding.model, input=[*texts, *reversed(texts)])
        (model,) = client.models.list().data
    np.testing.assert_allclose([each.embedding for each in answer.data], [*right, *right[::-1]], atol=1e-5)
    assert model.id == answer.model == embedding.model


def test_the_asynchronous_client_and_its_errors(embedding):
    texts, right = embedding.embeddings()

    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{embedding.url}/v1", api_key=KEYS[0], max_retries=0) as client:
            requests = [client.embeddings.create(model=embedding.model, input=text) for text in texts]
            answers = await asyncio.gather(*requests)
            with pytest.raises(openai.NotFoundError, match="the model is"):
                await client.embeddings.create(model="text-embedding-3-small", input="a")
            with pytest.raises(openai.BadRequestError, match="token numbers"):
                await client.embeddings.create(model=embedding.model, input=[1, 2, 3])
            with pytest.raises(openai.AuthenticationError):
                await client.with_options(api_key="wrong").embeddings.create(model=embedding.model, input="a")
        return [answer.data[0].embedding for answer in answers]

    np.testing.assert_allclose(asyncio.run(ask()), right, atol=1e-5)


def test_the_token_usage_is_what_transformers_counts(embedding):
    from transformers import AutoTokenizer

    texts, _ = embedding.embeddings()
    tokenizer = AutoTokenizer.from_pretrained(embedding.folder)
    counts = [len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"]]
    assert max(counts) == tokenizer.model_max_length, "a text is truncated"
    with openai.OpenAI(base_url=f"{embedding.url}/v1", api_key=KEYS[0]) as client:
        usage = client.embeddings.create(model=embedding.model, input=texts).usage
    assert usage.prompt_tokens == usage.total_tokens == sum(counts)


def test_hugging_faces_client_gets_the_golden_embeddings(embedding):
    client = InferenceClient(embedding.url, token=KEYS[0])
    texts, right = embedding.embeddings()
    np.testing.assert_allclose(client.feature_extraction(texts, normalize=False), right, atol=1e-5)
    lengths = np.linalg.norm(client.feature_extraction(texts), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    texts, right = embedding.embeddings(prompt_name="query")
    found = client.feature_extraction(texts, normalize=False, prompt_name="query", truncate=True)
    np.testing.assert_allclose(found, right, atol=1e-5)


def test_hugging_faces_client_compares_sentences(embedding):
    texts, right = embedding.embeddings()
    unit = right / np.linalg.norm(right, axis=1, keepdims=True)
    found = InferenceClient(embedding.url, token=KEYS[0]).sentence_similarity(texts[0], other_sentences=texts[1:])
    np.testing.assert_allclose(found, unit[1:] @ unit[0], atol=1e-4)


def test_hugging_faces_client_gets_the_golden_labels(served):
    api = served("text-classification")
    texts, answers = api.golden()
    client = InferenceClient(f"{api.url}/predict", token=KEYS[0])
    for text, answer in zip(texts, answers, strict=True):
        found = client.text_classification(text, top_k=2, function_to_apply="softmax")
        assert [each.label for each in found] == answer["predicts"]["data"][:2]
        assert [each.score for each in found] == pytest.approx(answer["scores"]["data"][:2], abs=1e-5)


@pytest.mark.parametrize("task", CASES)
def test_the_example_of_every_route_gets_the_answer_that_is_described(served, task):
    api = served(task)
    with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {KEYS[0]}"}, trust_env=False) as client:
        document = client.get("/openapi.json").json()
        OpenAPIV31SpecValidator(document).validate()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                content = operation.get("requestBody", {}).get("content", {}).get("application/json")
                answer = client.request(method, path, json=content and content["example"])
                assert answer.status_code == 200, (path, answer.text)
                if described := operation["responses"]["200"].get("content"):
                    jsonschema.validate(answer.json(), described["application/json"]["schema"])


def test_the_requests_of_the_page(served, tmp_path):
    """docs/api.md, with the address, the name and a key of this server."""
    api = served("feature-extraction")
    commands = re.findall(r"^```(bash|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    asks = [(language, code) for language, code in commands if "127.0.0.1:8080/" in code or language == "python"]
    assert len(asks) == 4
    for language, code in asks:
        own = code.replace("http://127.0.0.1:8080", api.url).replace('"sentences"', f'"{api.model}"')
        own = own.replace('api_key="none"', f'api_key="{KEYS[0]}"').replace(
            f'"{api.url}")', f'"{api.url}", token="{KEYS[0]}")'
        )
        own = own.replace("curl -s", f"curl -s --fail -H 'Authorization: Bearer {KEYS[0]}'")
        command = ["bash", "-c", own] if language == "bash" else [sys.executable, "-c", own]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert done.returncode == 0 and done.stdout, (own, done.stderr)


def test_serve_sh_answers_the_routes_until_it_is_interrupted(embedding):
    ports = [word for service in ("http", "grpc", "metrics", "api") for word in (f"--{service}-port", "0")]
    command = [ROOT / "serve.sh", embedding.tree, "--api", *ports]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        line = next(line for line in process.stderr if line.startswith("API at "))
        answer = httpx.post(f"{line.split()[2].rstrip(',')}/embed", json={"inputs": "a"}, trust_env=False, timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().endswith("stopped\n")
    assert (answer.status_code, len(answer.json()[0]), process.returncode) == (200, 32, 0)


def test_serve_sh_needs_what_the_build_wrote(tmp_path):
    (tmp_path / "model_repository/m").mkdir(parents=True)
    (tmp_path / "model_repository/m/config.pbtxt").touch()
    done = subprocess.run([ROOT / "serve.sh", tmp_path, "--api"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "api.json" in done.stderr and "pass the build tree" in done.stderr


def test_its_cost_is_measured(embedding):
    command = [sys.executable, "-m", "benchmarks.api", embedding.tree, "--rounds", "1", "--seconds", "0.2"]
    done = subprocess.run([*command, "--clients", "2"], capture_output=True, text=True, timeout=120, cwd=ROOT)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["2", figure] for figure in FIGURES.values()], done.stderr
    assert all(float(cell) > 0 for row in rows for cell in row[2:])


def test_a_task_without_a_route_is_refused():
    done = build("model", "model", "-", "x", "--task", "token-classification", "--api", "tei")
    assert done.returncode == 2
    assert "--api tei has no route for --task token-classification" in done.stderr
