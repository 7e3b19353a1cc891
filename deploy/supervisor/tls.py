"""Settings of TLS for gRPC: a certificate, its key, and the authority of the clients' certificates."""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import SettingError

CERT, KEY, CLIENT_CA = "TRITON_GRPC_CERT_FILE", "TRITON_GRPC_KEY_FILE", "TRITON_GRPC_CLIENT_CA_FILE"


@dataclass(frozen=True)
class Tls:
    """Paths of PEM files. `client_ca`: the authority of the clients' certificates; empty: not required."""

    cert: str
    key: str
    client_ca: str = ""

    @property
    def flags(self) -> dict[str, str]:
        """Triton's flags by name. `--grpc-use-ssl-mutual` enables TLS even if it is false."""
        mutual = {"grpc-use-ssl-mutual": "true", "grpc-root-cert": self.client_ca} if self.client_ca else {}
        return {"grpc-use-ssl": "true", "grpc-server-cert": self.cert, "grpc-server-key": self.key, **mutual}


def read(environment: Mapping[str, str]) -> Tls | None:
    """None without these settings. Raises SettingError for files that are unreadable or do not match."""
    files = {name: file for name in (CERT, KEY, CLIENT_CA) if (file := environment.get(name))}
    if not files:
        return None
    for name in (CERT, KEY):
        if name not in files:
            raise SettingError(f"{next(iter(files))} is set without {name}; TLS for gRPC needs {CERT} and {KEY}")
    for name, file in files.items():
        try:
            with open(file, "rb"):  # noqa: PTH123 - pathlib costs 10 ms of every start
                pass
        except OSError as error:
            raise SettingError(f"{name} names {file!r}, which cannot be read ({error}); mount it readable") from error
    _check(files)
    return Tls(files[CERT], files[KEY], files.get(CLIENT_CA, ""))


def _check(files: Mapping[str, str]) -> None:
    """Triton would start with files that gRPC cannot use, and refuse every client."""
    import ssl

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without a password argument, OpenSSL would prompt for one.
        context.load_cert_chain(files[CERT], files[KEY], password="")
    except (ssl.SSLError, ValueError) as error:
        raise SettingError(
            f"{CERT} {files[CERT]!r} and {KEY} {files[KEY]!r} are not a certificate and its unencrypted key in PEM "
            f"({_reason(error)}); use a matching pair of files"
        ) from error
    try:
        if CLIENT_CA in files:
            context.load_verify_locations(files[CLIENT_CA])
    except ssl.SSLError as error:
        raise SettingError(
            f"{CLIENT_CA} names {files[CLIENT_CA]!r}, which is not a PEM certificate ({_reason(error)}); use the "
            "certificate of the authority that signs the clients' certificates"
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)
