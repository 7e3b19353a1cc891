"""The addresses of a server under test."""

import http.client
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """The endpoints, each as host:port. `api`: that of --api, "" without."""

    http: str
    grpc: str
    api: str = ""

    def is_ready(self, *, timeout: float) -> bool:
        """True when the server, and its API process, report ready within `timeout` seconds each."""
        return answers(self.http, "/v2/health/ready", timeout) and (not self.api or self.is_api_ready(timeout=timeout))

    def is_api_ready(self, *, timeout: float) -> bool:
        """True when the API process reports ready within `timeout` seconds."""
        return answers(self.api, "/health", timeout)


def answers(address: str, path: str, timeout: float) -> bool:
    """Whether a GET gives status 200 within `timeout` seconds.

    http.client does not use the proxies in the environment, unlike urllib.
    """
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
