"""/openapi.json and /docs: valid, complete, and true of every route."""

import json
import re

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.deploy.api.conftest import OUTPUTS

KEY = "0123456789abcdef"


def described(client):
    document = client.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    return document


@pytest.mark.parametrize("task", OUTPUTS)
def test_the_example_of_every_route_gets_the_answer_that_is_described(make_client, task):
    client, _ = make_client(task)
    document = described(client)
    assert document["openapi"] == "3.1.0"
    sent = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                jsonschema.validate(content["example"], content["schema"])
            answer = client.request(method, path, json=content and content["example"])
            assert answer.status_code == 200, (path, answer.text)
            schema = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema")
            assert (schema is None) == (path == "/health")
            if schema:
                jsonschema.validate(answer.json(), schema)
            sent += 1
    assert sent >= 4


@pytest.mark.parametrize(("task", "path"), [("feature-extraction", "/v1/embeddings"), ("text-ranking", "/rerank")])
def test_an_error_is_as_described(make_client, task, path):
    client, _ = make_client(task)
    schema = described(client)["paths"][path]["post"]["responses"]["default"]["content"]["application/json"]["schema"]
    answer = client.post(path, json={"unknown": 1})
    assert answer.status_code in (400, 422)
    jsonschema.validate(answer.json(), schema)


def test_keys_are_described(make_client, tmp_path):
    (tmp_path / "keys").write_text(KEY)
    client, _ = make_client("feature-extraction", keys=tmp_path / "keys")
    document = described(client)
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert "security" in document["paths"]["/embed"]["post"]
    assert "security" not in document["paths"]["/health"]["get"]


def test_the_page_shows_every_route_and_needs_nothing_else(make_client):
    client, _ = make_client("feature-extraction")
    answer = client.get("/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    for path, operations in described(client)["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in answer.text
    assert not re.search(r"<script|src=|url\(|http://|https://", answer.text)
    assert json.dumps("The quick brown fox")[1:-1] in answer.text
