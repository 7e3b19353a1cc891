"""What a build can choose from, one table each: engines, runtimes, formats, precisions, releases, GPUs, tuning."""
