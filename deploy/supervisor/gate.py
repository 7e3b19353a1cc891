"""Holds clients back until the canary has passed, and again while draining.

The supervisor and Triton both listen on the port (SO_REUSEPORT, which --reuse-http-port sets for Triton). A classic BPF
program in the kernel selects the socket of each new connection, so requests have no overhead. The supervisor's socket
joins the group first and has number 0; Triton's has number 1.
Sources: socket(7), SO_ATTACH_REUSEPORT_CBPF (Linux 4.5) and bpf(2).
"""

import array
import contextlib
import errno
import select
import socket
import struct
import threading
from collections.abc import Sequence

from .guard import bound

SO_ATTACH_REUSEPORT_CBPF = 51
SUPERVISOR, TRITON = 0, 1
# Connections from this loopback address, the canary's, pass a closed gate.
BYPASS = "127.0.0.77"
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_SOURCE_ADDRESS = 0x100000000 - 0x100000 + 12  # SKF_NET_OFF plus the offset of the source in an IPv4 header
BODY = b'{"error":"the server is not ready"}'
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Gate:
    """Starts closed. `open` passes new connections to Triton; `close` answers them with 503 again.

    `http` and `grpc` are IPv4 addresses and ports; None: gRPC is disabled.
    Raises OSError when a port is in use, or when the kernel does not support such programs.
    """

    def __init__(self, http: tuple[str, int], grpc: tuple[str, int] | None) -> None:
        self._http = _listen(socket.AF_INET, *http)
        self._grpc = [_listen_as_grpc(*grpc)] if grpc else []
        self.close()
        for each in (self._http, *self._grpc):
            each.listen(128)
        threading.Thread(target=self._answer, daemon=True).start()

    def open(self) -> None:
        """Passes new connections to Triton."""
        for each in (self._http, *self._grpc):
            _attach(each, [(_RETURN, 0, 0, TRITON)])

    def close(self) -> None:
        """Answers new connections itself, except for the canary's."""
        bypass = struct.unpack("!I", socket.inet_aton(BYPASS))[0]
        pass_canary = [(_LOAD_WORD, 0, 0, _SOURCE_ADDRESS), (_JUMP_IF_EQUAL, 0, 1, bypass), (_RETURN, 0, 0, TRITON)]
        _attach(self._http, [*pass_canary, (_RETURN, 0, 0, SUPERVISOR)])
        for each in self._grpc:
            _attach(each, [(_RETURN, 0, 0, SUPERVISOR)])

    def _answer(self) -> None:
        """Answers 503 over HTTP. Over gRPC it closes the connection, which clients report as UNAVAILABLE."""
        while True:
            for each in select.select([self._http, *self._grpc], [], [])[0]:
                with contextlib.suppress(OSError):
                    connection, _ = each.accept()
                    with connection:
                        connection.settimeout(0.2)
                        if each is self._http:
                            connection.recv(65536)
                            connection.sendall(ANSWER)
                            connection.shutdown(socket.SHUT_WR)
                            connection.recv(65536)


def _listen_as_grpc(host: str, port: int) -> socket.socket:
    """With IPv6, gRPC uses an IPv6 socket for IPv4 addresses too, and a group has sockets of one family."""
    try:
        return _listen(socket.AF_INET6, "::" if host == "0.0.0.0" else f"::ffff:{host}", port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        return _listen(socket.AF_INET, host, port)


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    with socket.socket(family) as exclusive:  # without SO_REUSEPORT: fails if another server has the port
        exclusive.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        exclusive.bind((host, port))
        exclusive.listen()
    return bound(family, host, port)


def _attach(listening: socket.socket, program: Sequence[tuple[int, int, int, int]]) -> None:
    """Passes a struct sock_fprog {unsigned short len; struct sock_filter *filter}, filters of {u16, u8, u8, u32}."""
    code = array.array("B", b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    listening.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack("HxxxxxxQ", len(program), code.buffer_info()[0])
    )
