"""The machine of the build: errors and exit codes, files, locks, child processes, environments, progress, disk."""
