#!/usr/bin/env bash
# Serves a built model repository without Docker, with a real Triton from PyPI, until it is interrupted. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.serve "$@"
}

main "$@"
