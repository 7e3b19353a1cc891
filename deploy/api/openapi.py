"""The description of the routes in OpenAPI 3.1, and its page."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .facts import Facts
from .route import Protocol, Route

VERSION = "3.1.0"
KEY = "key"


def description(facts: Facts, routes: Sequence[tuple[Protocol, Route]], *, has_keys: bool) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for protocol, route in routes:
        operation = _operation(protocol, route, has_keys=has_keys)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": VERSION,
        "info": {
            "title": facts.model,
            "version": facts.version or "1",
            "description": f"{facts.about['model_id']} ({facts.task}), served by Triton",
        },
        "paths": paths,
        **({"components": {"securitySchemes": {KEY: {"type": "http", "scheme": "bearer"}}}} if has_keys else {}),
    }


def _operation(protocol: Protocol, route: Route, *, has_keys: bool) -> dict[str, Any]:
    answer = {"description": "The answer"}
    responses = {"200": {**answer, "content": _json(route.response)} if route.response is not None else answer}
    if not route.is_open:
        responses["default"] = {"description": "An error", "content": _json(protocol.error_schema)}
    body = {"requestBody": {"required": True, "content": _json(route.request, route.example)}} if route.request else {}
    security: dict[str, Any] = {"security": [{KEY: []}]} if has_keys and not route.is_open else {}
    return {"summary": route.summary, **body, "responses": responses, **security}


def _json(schema: Mapping[str, Any] | None, example: Any = None) -> dict[str, Any]:
    return {"application/json": {"schema": schema, **({"example": example} if example is not None else {})}}


STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8888; border-radius: .4rem; font-size: .85rem; }
h2 { margin-top: 2.5rem; font-size: 1.15rem; overflow-wrap: anywhere; }
code { font-family: ui-monospace, monospace; }
"""


def page(document: Mapping[str, Any]) -> str:
    """A page of the document: no script, and nothing from another address."""
    title = html.escape(document["info"]["title"])
    sections = [
        _section(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}: API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main><h1>{title}</h1><p>{html.escape(document['info']['description'])}. "
        'For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
        f"{''.join(sections)}</main></body></html>\n"
    )


def _section(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{html.escape(operation['summary'])}.</p>"]
    if "security" in operation:
        parts.append("<p>Needs a key: <code>Authorization: Bearer KEY</code>.</p>")
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        parts.append(_block("Example", content["example"]) + _block("Request (JSON Schema)", content["schema"]))
    if content := operation["responses"]["200"].get("content"):
        parts.append(_block("Answer (JSON Schema)", content["application/json"]["schema"]))
    return "".join(parts)


def _block(name: str, value: Any) -> str:
    shown = html.escape(json.dumps(value, indent=2, ensure_ascii=False))
    return f'<h3>{name}</h3><pre tabindex="0"><code>{shown}</code></pre>'
