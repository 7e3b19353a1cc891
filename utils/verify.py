"""Verifies a pushed image against a public key: `./verify.sh REF --key PUBLIC.pem`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.host import entry
from utils.host.errors import ReleaseError, UsageError
from utils.host.progress import note, stage
from utils.registry.reference import parse_reference
from utils.release.signature_files import PUBLIC_PART, read_public_pem
from utils.repository.names import check_image

DESCRIPTION = """\
Verifies an image that was pushed with --sign-key. The image, its SBOM and its provenance must be signed by the key, and
the manifest, the config and every layer must have the content of their digests. Prints the digest that was verified."""
EPILOG = """\
exit code: 0 everything matches; 2 usage; 9 something does not match, or the registry does not answer
example: ./verify.sh registry.example.org/team/topics:v1 --key sign.pub"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    reference: str
    key: Path
    insecure: bool
    json: bool


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options; UsageError for invalid ones."""
    parser = entry.Parser(
        prog="./verify.sh",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("reference", metavar="REF", help="the image: registry/name:tag or registry/name@digest")
    parser.add_argument("--key", metavar="PUBLIC.pem", type=Path, help="the public key, in PEM")
    parser.add_argument("--insecure", action="store_true", help="use a registry without TLS or a valid certificate")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    options = Options(**vars(parser.parse_args(arguments)))
    if not parse_reference(check_image("REF", options.reference)).host:
        raise UsageError(f"REF {options.reference!r} names no registry; use registry/name:tag or registry/name@digest")
    if options.key is None:
        raise UsageError(f"--key is missing; give the public key: `{PUBLIC_PART}`")
    read_public_pem("--key", options.key)
    return options


def run(options: Options) -> str:
    """The verified reference by digest, or the JSON object, for stdout. ReleaseError (9) if anything does not match."""
    from utils.registry.registry import Registry
    from utils.release.signature_keys import read_public_key
    from utils.release.verification import verify

    key = read_public_key("--key", options.key)
    reference = parse_reference(options.reference)
    registry = Registry(reference, insecure=options.insecure)
    checks = {}
    with stage("verify", ReleaseError):
        image = registry.manifest(reference.digest or reference.tag or "latest")
        for check in verify(registry, image, key):
            note(f"{check.part}: {check.found}")
            checks[check.part] = check.found
    verified = str(reference.by_digest(image.digest))
    return json.dumps({"verified": verified, "checks": checks}) if options.json else verified


if __name__ == "__main__":
    entry.run(lambda: run(parse_arguments(sys.argv[1:])))
