"""A PyTorch model becomes a served graph that answers as the model does."""
