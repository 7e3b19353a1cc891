"""The model, its tokenizer and its labels: fetched, read and checked before anything slow runs."""
