"""The gRPC transports. Needs the extra `grpc`."""

from typing import Any

from triton_image_client.calls import Call
from triton_image_client.errors import ServerError, of_server
from triton_image_client.grpc_codec import METHODS, decode, encode, grpc, stub
from triton_image_client.settings import Settings

# Names of gRPC Core's channel arguments. A server that restarts is found within a second, not two minutes.
OPTIONS = {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
}


def _channel(module: Any, settings: Settings) -> Any:
    """A channel of `module`: grpc or grpc.aio."""
    proxy = {} if settings.address.uses_proxies else {"grpc.enable_http_proxy": 0}
    options = list({**OPTIONS, **proxy}.items())
    target = settings.address.authority
    if not settings.address.is_secure:
        return module.insecure_channel(target, options=options)
    certificate, key = map(settings.read, settings.client_certificate) if settings.client_certificate else (None, None)
    authorities = settings.read(settings.ca_file) if settings.ca_file else None
    credentials = grpc.ssl_channel_credentials(authorities, key, certificate)
    return module.secure_channel(target, credentials, options=options)


def _stubs(channel: Any) -> dict[type[Any], Any]:
    return {kind: stub(channel, name) for kind, name in METHODS.items()}


def _error(settings: Settings, error: Any) -> ServerError:
    """Of a grpc.RpcError. gRPC's own words for a lost connection do not name the server."""
    code, message = error.code().name, error.details() or "no details"
    if code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
        message = f"{settings.address}: {message}"
    return of_server(code, message)


class GrpcTransport:
    """Over one channel for all threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._headers = settings, tuple(settings.all_headers.items())
        self._channel = _channel(grpc, settings)
        self._methods = _stubs(self._channel)

    def send(self, call: Call, seconds: float) -> Any:
        """See Transport."""
        try:
            return decode(call, self._methods[type(call)](encode(call), timeout=seconds, metadata=self._headers))
        except grpc.RpcError as error:
            raise _error(self._settings, error) from error

    def close(self) -> None:
        """See Transport."""
        self._channel.close()


class AsyncGrpcTransport:
    """GrpcTransport for asyncio."""

    def __init__(self, settings: Settings) -> None:
        import grpc.aio

        self._settings, self._headers = settings, tuple(settings.all_headers.items())
        self._channel = _channel(grpc.aio, settings)
        self._methods = _stubs(self._channel)

    async def send(self, call: Call, seconds: float) -> Any:
        """See Transport."""
        method = self._methods[type(call)]
        try:
            return decode(call, await method(encode(call), timeout=seconds, metadata=self._headers))
        except grpc.RpcError as error:
            raise _error(self._settings, error) from error

    async def close(self) -> None:
        """See Transport."""
        await self._channel.close()
