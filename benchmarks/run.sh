#!/usr/bin/env bash
# Measures what is built here beside other ways to serve the same model; writes docs/performance.md. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  # Triton is measured without the request guard; docs/operations.md gives the cost of the guard.
  export TRITON_GUARD=never
  exec python3 "${root}/utils/launch.py" benchmarks.environments benchmark benchmarks.run "$@"
}

main "$@"
