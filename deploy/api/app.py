"""The application: the routes of the chosen protocols, behind keys and limits."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route as Path

from . import openai, openapi, tei
from .errors import FAILED, MALFORMED, TOO_LARGE, TOO_SLOW, UNAUTHORIZED, UNHEALTHY, ApiError, of_status
from .keys import Keys
from .route import Protocol, Route
from .service import Service

PROTOCOLS: Mapping[str, Protocol] = {"openai": openai.PROTOCOL, "tei": tei.PROTOCOL}
OPENAI_PATHS = "/v1/"
BODY_SECONDS = 60.0
PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def make_app(service: Service, keys: Keys) -> Starlette:
    """The routes of `service.facts.routes`, /health, /docs and /openapi.json."""
    chosen = [PROTOCOLS[name] for name in service.facts.routes]
    routes = [(protocol, route) for protocol in chosen for route in protocol.routes(service)]
    routes.insert(0, (chosen[-1], Route("/health", "Whether the server is ready", _health, None, is_open=True)))
    document = openapi.description(service.facts, routes, has_keys=keys.are_needed)

    async def on_error(request: Request, error: Exception) -> Response:
        name = "openai" if request.url.path.startswith(OPENAI_PATHS) else "tei"
        return _error(PROTOCOLS[name] if name in service.facts.routes else chosen[-1], error)

    async def show(_: Request) -> Response:
        return JSONResponse(document)

    async def show_page(_: Request) -> Response:
        return HTMLResponse(openapi.page(document), headers=PAGE_HEADERS)

    paths = [
        Path(route.path, _endpoint(protocol, route, service, keys), methods=[route.method])
        for protocol, route in routes
    ]
    paths += [Path("/openapi.json", show), Path("/docs", show_page)]
    return Starlette(routes=paths, exception_handlers={HTTPException: on_error, Exception: on_error})


def _endpoint(protocol: Protocol, route: Route, service: Service, keys: Keys) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            if not route.is_open and not keys.allow(request.headers.get("authorization")):
                raise ApiError(UNAUTHORIZED, "a key is needed: send the header Authorization: Bearer KEY")
            body = await _body(request, service.limits.max_body) if route.request else {}
            value = await route.answer(service, body)
        except ApiError as error:
            return _error(protocol, error)
        except ClientDisconnect:
            return Response(status_code=400)
        return Response() if route.response is None else JSONResponse(value)

    return answer


def _error(protocol: Protocol, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = of_status(error.status_code)
    if not isinstance(error, ApiError):
        error = ApiError(FAILED, "the request failed; the server's log has the reason")
    status, content = protocol.error(error)
    return JSONResponse(content, status, dict(error.kind.headers))


async def _health(service: Service, _: Any) -> None:
    if not await service.triton.is_ready():
        raise ApiError(UNHEALTHY, "Triton is not ready")


async def _body(request: Request, most: int) -> Any:
    """The JSON value of the body, at most `most` bytes, which arrives within BODY_SECONDS."""
    try:
        content = await asyncio.wait_for(_read(request, most), BODY_SECONDS)
    except asyncio.TimeoutError as error:
        raise ApiError(TOO_SLOW, f"the body did not arrive within {BODY_SECONDS:g} s") from error
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ApiError(MALFORMED, f"the body is not JSON ({error})") from error


async def _read(request: Request, most: int) -> bytes:
    stated = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = int(stated) if stated.isdecimal() else 0
    if size <= most:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                break
            parts.append(part)
    if size > most:
        raise ApiError(TOO_LARGE, f"the body has more than {most} bytes (TRITON_MAX_INPUT_BYTES)")
    return b"".join(parts)
