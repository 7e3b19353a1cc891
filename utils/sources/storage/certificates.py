"""Certificates of private authorities: one variable is enough for every client, and one sentence tells what lacks."""

import ssl
from collections.abc import Mapping
from pathlib import Path

# Those that a user may set, the first that is set first; requests and OpenSSL read the others.
SETTINGS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# requests; OpenSSL, Go and httpx; boto3. git reads those of its own configuration.
READ = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")
# In the texts of clients that hide the error of their TLS library: OpenSSL's, and Go's.
_WORDS = ("CERTIFICATE_VERIFY_FAILED", "failed to verify certificate")


def for_all_clients(variables: Mapping[str, str]) -> dict[str, str]:
    """What one of SETTINGS names, for each variable of READ that is not set. Only requests reads a folder."""
    authority = next((variables[name] for name in SETTINGS if variables.get(name)), "")
    read = READ if Path(authority).is_file() else READ[:1]
    return {name: authority for name in read if authority and not variables.get(name)}


def is_untrusted(error: BaseException) -> bool:
    """True if a certificate that is not trusted is the reason of `error`, also if another error hides it."""
    seen: list[BaseException] = []
    left: list[object] = [error]
    while left:
        found = left.pop()
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            left += [found.__cause__, found.__context__, getattr(found, "reason", None), *found.args]
    return any(
        isinstance(each, ssl.SSLCertVerificationError) or any(word in str(each) for word in _WORDS) for each in seen
    )


def untrusted(reference: str) -> str:
    """The sentence for such an error."""
    return (
        f"the server for {reference} has a certificate that is not trusted; set SSL_CERT_FILE to the file of its "
        "authority"
    )
