#!/usr/bin/env bash
# Removes build trees this project made, and nothing else. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.cleanup "$@"
}

main "$@"
