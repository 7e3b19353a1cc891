"""The exporters of transformers models. Standard library only."""

from utils.host.numbers import require_known

# optimum-onnx with transformers 4, and torch.onnx.export (dynamo) with transformers 5 in an environment of its own.
OPTIMUM, DYNAMO = "optimum", "dynamo"
EXPORTERS = (OPTIMUM, DYNAMO)


def parse_exporter(text: str | None) -> str | None:
    """--exporter; UsageError for one that is not known."""
    return None if text is None else require_known("--exporter", text, EXPORTERS)
