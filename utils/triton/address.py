"""Where a server under proof listens."""

import http.client
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """Its two endpoints, each as host:port."""

    http: str
    grpc: str

    def is_ready(self, *, timeout: float) -> bool:
        """True when the server answers within `timeout` seconds that it is ready.

        http.client, because urllib would send the request to the proxy of the environment.
        """
        connection = http.client.HTTPConnection(self.http, timeout=timeout)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
