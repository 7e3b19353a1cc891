#!/usr/bin/env bash
# Removes the parts of installed packages that no served model uses. Runs in `docker build`.
# usage: prune_packages.sh FOLDER      example: prune_packages.sh /opt/serving
set -Eeuo pipefail

# Relative to FOLDER; missing paths are ignored.
readonly UNUSED=(
  bin
  # For building and testing extensions.
  numpy/f2py numpy/distutils 'numpy/core/_simd.*' 'numpy/_core/_simd.*'
  # The C library: the Python module contains it.
  'onnxruntime/capi/libonnxruntime.so.*'
  onnxruntime/backend onnxruntime/datasets onnxruntime/quantization onnxruntime/tools onnxruntime/transformers
  # All but the ONNX frontend and the CPU plugin.
  'openvino/libs/libopenvino_intel_[gn]pu_plugin.so' 'openvino/libs/libopenvino_*auto*_plugin.so'
  openvino/libs/libopenvino_hetero_plugin.so 'openvino/libs/libopenvino_c.so*' openvino/libs/cache.json
  'openvino/libs/libopenvino_[!o]*_frontend.so*'
)

main() {
  if [[ $# -ne 1 || ! -d "$1" ]]; then
    echo "usage: prune_packages.sh FOLDER" >&2
    exit 2
  fi
  cd "$1"
  find . -depth \( -name tests -o -name include -o -name '*.pyi' -o -name '*.a' \) -exec rm -rf {} +
  local pattern path
  for pattern in "${UNUSED[@]}"; do
    while IFS= read -r path; do
      rm -rf -- "${path:?}"
    done < <(compgen -G "${pattern}" || true)
  done
}

main "$@"
