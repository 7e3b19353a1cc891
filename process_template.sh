#!/usr/bin/env bash
# Renders model_repository/ from one context.json into a build tree. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.host.environment utils.process_template "$@"
}

main "$@"
