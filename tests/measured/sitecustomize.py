"""Starts coverage in every Python process that has this folder on PYTHONPATH (./run_tests.sh --coverage)."""

import coverage

coverage.process_startup()
