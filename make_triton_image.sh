#!/usr/bin/env bash
# The main entry: a fine-tuned model, its tokenizer and its labels in; a proven Triton image out. See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.host.environment utils.make_triton_image "$@"
}

main "$@"
