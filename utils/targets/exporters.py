"""The exporters of transformers models. Standard library only."""

from utils.host.errors import UsageError

# optimum-onnx with transformers 4, and torch.onnx.export (dynamo) with transformers 5 in an environment of its own.
OPTIMUM, DYNAMO = "optimum", "dynamo"
EXPORTERS = (OPTIMUM, DYNAMO)


def parse_exporter(text: str | None) -> str | None:
    """--exporter; UsageError for one that is not known."""
    if text is not None and text not in EXPORTERS:
        raise UsageError(f"--exporter {text!r} is not known; choose one of: {', '.join(EXPORTERS)}")
    return text
