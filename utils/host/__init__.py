"""The machine a build runs on: errors and exit codes, files, child processes, environments, progress, disk."""
