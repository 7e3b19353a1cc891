"""The two files that describe an image: their names, and their types in a registry and in a signed statement."""

from dataclasses import dataclass

# Source: in-toto attestation framework, spec/v1/statement.md.
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True, kw_only=True)
class Document:
    """A kind of file that describes an image. `media_type`: of the file; `predicate_type`: of its statement."""

    name: str
    file: str
    media_type: str
    predicate_type: str


SBOM = Document(
    name="SBOM",
    file="sbom.cdx.json",
    media_type="application/vnd.cyclonedx+json",
    predicate_type="https://cyclonedx.org/bom",
)
PROVENANCE = Document(
    name="provenance",
    file="provenance.json",
    media_type="application/vnd.in-toto+json",
    predicate_type="https://slsa.dev/provenance/v1",
)
DOCUMENTS = (SBOM, PROVENANCE)
