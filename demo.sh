#!/usr/bin/env bash
# The first command of the README: builds a sample model, serves it and classifies three texts. See --help.
# --open shows it in a browser. All other options are passed to make_triton_image.sh (for example --base-image IMAGE
# behind a mirror, or --no-image).
set -Eeuo pipefail

main() {
  local root
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  exec python3 "${root}/utils/launch.py" utils.host.environment --environment sample examples.demo "$@"
}

main "$@"
