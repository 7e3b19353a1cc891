"""A Triton model repository: tensors, steps, pipeline, context.json, templates, assembly and checks."""
