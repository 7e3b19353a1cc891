"""A gRPC server on 127.0.0.1, with TLS if wanted, that passes requests on to a Triton after the faults of a test."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.certificates import Authority

PREFIX = "/inference.GRPCInferenceService/"


class Proxy(grpc.GenericRpcHandler):  # type: ignore[misc]
    """`faults`: (code, details) for the next inference requests. `metadata`: of all inference requests."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target.removeprefix("grpc://"))
        self.faults: list[tuple[grpc.StatusCode, str]] = []
        self.metadata: list[dict[str, str]] = []
        self.port = 0

    def service(self, details: Any) -> Any:
        """Any method, as bytes."""
        call = self.channel.unary_unary(details.method)

        def answer(request: bytes, context: Any) -> Any:
            if details.method == PREFIX + "ModelInfer":
                self.metadata.append(dict(context.invocation_metadata()))
                if self.faults:
                    context.abort(*self.faults.pop(0))
            try:
                return call(request, timeout=30)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def proxy(target: str, authority: Authority | None = None) -> Iterator[Proxy]:
    """The proxy; with `authority`, it wants TLS and certificates of clients."""
    handler, server = Proxy(target), grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([handler])
    if authority:
        certificate, key = authority.sign("server")
        pair = [(key.read_bytes(), certificate.read_bytes())]
        credentials = grpc.ssl_server_credentials(pair, authority.certificate.read_bytes(), require_client_auth=True)
        handler.port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        handler.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield handler
    finally:
        server.stop(0)
        handler.channel.close()
