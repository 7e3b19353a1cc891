"""What makes a proven image a released one: push, SBOM, provenance, signature, manifests for deployment."""
