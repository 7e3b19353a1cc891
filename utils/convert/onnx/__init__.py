"""Reads, checks and edits ONNX graphs."""
