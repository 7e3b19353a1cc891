"""Modules that only OCR needs: contracts of its graphs, golden pictures, and reading with a detector and recognizer."""
