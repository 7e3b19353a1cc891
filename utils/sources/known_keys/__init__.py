"""Checks that every setting in a model's files is read, known to be harmless, or reported: docs/what-is-read.md."""
