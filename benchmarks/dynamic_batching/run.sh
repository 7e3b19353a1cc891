#!/usr/bin/env bash
# Throughput of an embedding model with and without dynamic batching, with free and with fixed lengths; about 8 minutes.
# usage: run.sh MODEL [measure.py OPTION ...]      example: run.sh ./my-embedding-model --rounds 5 --seconds 30
set -Eeuo pipefail

main() {
  if [[ $# -lt 1 || "$1" == -* ]]; then
    echo "usage: run.sh MODEL [--users N] [--rounds N] [--seconds N]" >&2
    return 2
  fi
  local root model results fixed free
  root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd -P)"
  model="$1" results="${root}/build/dynamic_batching.csv"
  shift
  export PYTHONPATH="${root}" ORT_DISABLE_TELEMETRY=1
  local task=(--task feature-extraction --layout ensemble --no-image)
  free="$("${root}/make_triton_image.sh" "${model}" "${model}" - benchmark free 16 "${task[@]}")"
  fixed="$("${root}/make_triton_image.sh" "${model}" "${model}" - benchmark fixed 16 "${task[@]}" --sequence-length 32)"
  launch() { python3 "${root}/utils/launch.py" "$@"; }
  launch benchmarks.environments locust locust --version >&2
  launch utils.host.environment benchmarks.dynamic_batching.measure "${results}" "free=${free}" "fixed=${fixed}" "$@"
  launch benchmarks.environments locust benchmarks.dynamic_batching.plot "${results}" "${root}/docs/dynamic_batching.md" \
    "Triton 24.10 from PyPI on $(nproc) cores of a CPU, with Locust on the same ones."
}

main "$@"
