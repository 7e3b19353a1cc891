"""The connection to Triton's gRPC port on this machine, with TLS if that port has it."""

import contextlib
import ssl
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from .triton import OPTIONS


def connect(target: str, tls: tuple[str, str] | None) -> grpc.aio.Channel:
    """`tls`: the files with the server's certificate and key; None: without TLS.

    The server's own certificate is the only one that is trusted. A server that asks clients for a certificate gets the
    same one: its authority must have signed that as well.
    """
    if not tls:
        return grpc.aio.insecure_channel(target, options=OPTIONS)
    certificate, key = (Path(file).read_bytes() for file in tls)
    credentials = grpc.ssl_channel_credentials(certificate, key, certificate)
    name = name_of(*tls)
    options = [*OPTIONS, *([("grpc.ssl_target_name_override", name)] if name else [])]
    return grpc.aio.secure_channel(target, credentials, options=options)


def name_of(certificate: str, key: str) -> str:
    """A name that the certificate is valid for, or "". Python tells the names of a peer's certificate only."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking, answering = client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)
    for side in (asking, answering, asking):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    found: Any = asking.getpeercert() or {}
    names = [
        name.replace("*", "any") for kind, name in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address")
    ]
    return names[0] if names else ""
