#!/usr/bin/env bash
# Finds the options of speed that suit a built model repository on this machine; writes them as YAML. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  # The guard before Triton is not what is measured: what it costs stands in docs/operations.md.
  export TRITON_GUARD=never
  exec python3 "${root}/utils/launch.py" utils.host.environment benchmarks.tune "$@"
}

main "$@"
