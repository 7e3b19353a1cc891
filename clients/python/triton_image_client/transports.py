"""How calls get to the server: HTTP or gRPC, each for threads and for asyncio. One attempt; sessions.py repeats it."""

import asyncio
import time
from typing import Any, Protocol

import httpx

from triton_image_client import http_codec
from triton_image_client.calls import Call
from triton_image_client.errors import UnavailableError
from triton_image_client.settings import Settings

# An answer in gzip costs the server more time than the network saves.
PLAIN = {"accept-encoding": "identity"}


class Transport(Protocol):
    """Sends calls; any number of threads at a time."""

    def send(self, call: Call, seconds: float) -> Any:
        """The result of the call. Raises ServerError, after `seconds` at the latest."""

    def close(self) -> None:
        """Closes the connections."""


class AsyncTransport(Protocol):
    """Sends calls; any number of tasks of one event loop at a time."""

    async def send(self, call: Call, seconds: float) -> Any:
        """As Transport.send."""

    async def close(self) -> None:
        """Closes the connections."""


def connect(settings: Settings) -> Transport:
    """The transport for the address's scheme."""
    if settings.address.is_grpc:
        from triton_image_client.grpc_transports import GrpcTransport

        return GrpcTransport(settings)
    return HttpTransport(settings)


def connect_async(settings: Settings) -> AsyncTransport:
    """The transport for the address's scheme."""
    if settings.address.is_grpc:
        from triton_image_client.grpc_transports import AsyncGrpcTransport

        return AsyncGrpcTransport(settings)
    return AsyncHttpTransport(settings)


def _options(settings: Settings) -> dict[str, Any]:
    """Of httpx's clients."""
    return {
        "base_url": str(settings.address),
        "headers": {**PLAIN, **settings.all_headers},
        "limits": httpx.Limits(max_connections=None, max_keepalive_connections=settings.in_flight),
        "trust_env": settings.address.uses_proxies,
        "verify": settings.tls() if settings.address.is_secure else False,
    }


def _no_answer(settings: Settings, error: Exception) -> UnavailableError:
    reason = str(error) or type(error).__name__
    return UnavailableError(f"no answer from {settings.address}: {reason}")


class HttpTransport:
    """Over HTTP/1.1, on connections that are kept."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx.Client(**_options(settings))

    def send(self, call: Call, seconds: float) -> Any:
        """See Transport."""
        made, end = http_codec.encode(call), time.monotonic() + seconds
        try:
            with self._client.stream(
                made.method, made.path, content=made.content, headers=made.headers, timeout=seconds
            ) as response:
                parts = []
                for part in response.iter_bytes():
                    parts.append(part)
                    if time.monotonic() > end:
                        raise UnavailableError(f"{self._settings.address} took more than {seconds:.3g} s to answer")
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _no_answer(self._settings, error) from error
        return http_codec.decode(call, response.status_code, response.headers, b"".join(parts))

    def close(self) -> None:
        """See Transport."""
        self._client.close()


class AsyncHttpTransport:
    """HttpTransport for asyncio."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(**_options(settings))

    async def send(self, call: Call, seconds: float) -> Any:
        """See Transport."""
        made = http_codec.encode(call)
        request = self._client.build_request(
            made.method, made.path, content=made.content, headers=made.headers, timeout=seconds
        )
        try:
            response = await asyncio.wait_for(self._client.send(request), seconds)
        except asyncio.TimeoutError as error:
            raise UnavailableError(f"{self._settings.address} took more than {seconds:.3g} s to answer") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _no_answer(self._settings, error) from error
        return http_codec.decode(call, response.status_code, response.headers, response.content)

    async def close(self) -> None:
        """See Transport."""
        await self._client.aclose()
