"""Removes tokens and keys from the messages of storages."""

import os
import re

_NAME_OF_A_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|SECRET_KEY|ACCESS_KEY|ACCESS_KEY_ID|API_KEY|STORAGE_KEY)$")
_SECRET_IN_A_CONNECTION_STRING = re.compile(r"(?:AccountKey|SharedAccessSignature)=([^;]+)")
_SIGNATURE_IN_A_URL = re.compile(r"(?i)([?&](?:sig|[\w-]*signature|[\w-]*token)=)[^&\s'\")]+")
_LOGIN_IN_A_URL = re.compile(r"(?<=://)[^/\s@]+@")
# A shorter value could be an ordinary word of the message.
_SHORTEST_SECRET = 6


def scrub(text: str, *secrets: str | None) -> str:
    """`text` without `secrets`, secrets in the environment, and logins and signatures in addresses."""
    in_environment = [value for name, value in os.environ.items() if _NAME_OF_A_SECRET.search(name)]
    connections = [value for name, value in os.environ.items() if name.endswith("CONNECTION_STRING")]
    in_environment += _SECRET_IN_A_CONNECTION_STRING.findall(";".join(connections))
    for secret in [*secrets, *in_environment]:
        if secret and len(secret.strip()) >= _SHORTEST_SECRET:
            text = text.replace(secret.strip(), "***")
    return _SIGNATURE_IN_A_URL.sub(r"\1***", _LOGIN_IN_A_URL.sub("", text))
