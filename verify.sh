#!/usr/bin/env bash
# Verifies the signature, the SBOM, the provenance and every blob of a pushed image against a public key. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.host.environment utils.verify "$@"
}

main "$@"
