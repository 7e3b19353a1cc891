#!/usr/bin/env bash
# Reports what is missing before anything is built; --prove tries a base image for real. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.doctor "$@"
}

main "$@"
