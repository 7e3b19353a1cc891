"""The API process: routes that other software speaks, before Triton's gRPC (docs/api.md)."""
