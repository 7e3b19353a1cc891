"""Exit 0 when Triton in this container is ready, 1 when it is not. Standard library only."""

import http.client
import sys


def is_ready() -> bool:
    """Asks once. Not through urllib: it would follow the proxy settings that Docker hands to containers."""
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=4)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_ready() else 1)
