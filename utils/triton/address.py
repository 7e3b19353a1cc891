"""The addresses of a server under test."""

import http.client
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """The two endpoints, each as host:port."""

    http: str
    grpc: str

    def is_ready(self, *, timeout: float) -> bool:
        """True when the server reports ready within `timeout` seconds.

        http.client does not use the proxies in the environment, unlike urllib.
        """
        connection = http.client.HTTPConnection(self.http, timeout=timeout)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
