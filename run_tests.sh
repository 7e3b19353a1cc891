#!/usr/bin/env bash
# Sets up the test environment and runs the whole suite: lint, types, scripts, tests. Arguments go to pytest.
set -Eeuo pipefail

usage() {
  cat <<'TEXT'
usage: run_tests.sh [--long | --coverage] [PYTEST ARGUMENT ...]
       run_tests.sh tests/unit -k labels
       TRITON_ROOT=/opt/tritonserver run_tests.sh tests/server

Tests run side by side, in two processes for each processor and at most four; -n 0 runs one after the other.
--long runs every test with all its members: the default run leaves out those marked "long", which prove for another
model type, version, storage or layout what the others prove. It also runs the soak with 100,000 requests, 2,000 examples of each fuzz test, full shared memory for a minute, 20,000
rows through score, the walk of checkpoints of transformers 5 over all types, and the training of the OCR networks.
--coverage prints the covered lines of each package. Processes without this environment are not counted: those in
containers, those started with -I, and Triton's Python stubs.
Image tests need root and docker.io, iptables and debootstrap, tests of pages chromium; without them they are skipped
and named, except with CI=true, where a test that cannot run fails.
TRITON_ROOT names a folder with another tritonserver (bin, lib, backends) for the tests in tests/server; without it
they run on the Triton from PyPI. Its Python stub must be for the python3 on PATH.
TEXT
}

in_coverage_environment() {
  python3 "${root}/utils/launch.py" utils.host.environment --environment coverage tests.measured.table "$@"
}

# From here on every Python process records the lines it runs, in build/coverage.
measure() {
  local packages
  packages="$(in_coverage_environment --site-packages)"
  rm -rf -- "${root:?}/build/coverage"
  mkdir -p "${root}/build/coverage"
  export COVERAGE_ROOT="${root}" COVERAGE_PROCESS_START="${root}/pyproject.toml"
  export PYTHONPATH="${root}:${root}/tests/measured:${packages}"
}

main() {
  if [[ "${1:-}" == "--help" ]]; then
    usage
    return
  fi
  if [[ "${1:-}" == "--long" ]]; then
    shift
    export LONG_FORMS=1 FAULTS_REQUESTS=100000 FAULTS_SECONDS=60 FUZZ_EXAMPLES=2000 WALK_ALL=1 TRAIN_OCR=1 SCORE_ROWS=20000
  fi
  local measured=""
  if [[ "${1:-}" == "--coverage" ]]; then
    shift
    measured=yes
  fi
  # Tests wait for servers, builds and containers half of the time: two workers for each processor, at most four.
  local root workers=$(( $(nproc) < 2 ? 2 : 4 ))
  local side_by_side=(-n "${workers}" --dist loadscope --no-loadscope-reorder)
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  TRITON_ROOT="$(python3 "${root}/utils/launch.py" utils.triton.root)"
  export TRITON_ROOT
  cd "${root}"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  python3 "${root}/utils/launch.py" utils.host.environment --environment dev ruff check .
  python3 "${root}/utils/launch.py" utils.host.environment --environment dev ruff format --check --quiet .
  local version
  for version in 3.10 3.12; do
    python3 "${root}/utils/launch.py" utils.host.environment --environment dev mypy --python-version "${version}"
  done
  if [[ -n "${measured}" ]]; then
    measure
  fi
  local status=0
  python3 "${root}/utils/launch.py" utils.host.environment --environment dev pytest "${side_by_side[@]}" "$@" || status=$?
  if [[ -n "${measured}" ]]; then
    in_coverage_environment
  fi
  return "${status}"
}

main "$@"
