#!/usr/bin/env bash
# README command one: makes a sample model, runs the main job on it, asks the served model three questions.
# Options go to make_triton_image.sh (say --base-image IMAGE behind a mirror, or --no-image). See --help.
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.host.environment --environment sample examples.demo "$@"
}

main "$@"
