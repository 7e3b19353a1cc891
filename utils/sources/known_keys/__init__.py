"""Every setting of a model's files is read, known to be harmless, or named to the user: docs/what-is-read.md."""
