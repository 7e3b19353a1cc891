#!/usr/bin/env bash
# Prints what a build depends on in a Triton image: sections that begin with "## NAME". base_image.py runs it in there.
# usage: look_inside.sh TRITON_FOLDER FILE ...      example: look_inside.sh /opt/tritonserver bin/tritonserver
# Each FILE is in the folder; its libraries are resolved.
set -Eeuo pipefail
export LC_ALL=C

readonly TRITON="$1"
shift

# As deploy/collect_runtime.sh resolves them: Triton's own first, then what the base names; an empty entry means the
# current folder.
search_path() {
  printf '%s:%s' "${TRITON}/lib" "${LD_LIBRARY_PATH:-}" | sed -E 's/:+/:/g; s/:$//'
}

# What the loader finds: "NAME => PATH" or "NAME => not found", and which file needed which.
libraries_of() { # FILE
  local loader
  for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
    if [[ -x "${loader}" ]]; then
      LD_LIBRARY_PATH="$(search_path)" LD_DEBUG=files LD_TRACE_LOADED_OBJECTS=1 "${loader}" "$1" 2>&1 \
        | grep -E '=>|needed by' || true
    fi
  done
}

main() {
  local file
  echo "## python"
  python3 -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
  echo "## os-release"
  cat /etc/os-release 2>/dev/null || true
  echo "## backends"
  for file in "${TRITON}"/backends/*/; do
    basename "${file}"
  done
  for file in "$@"; do
    echo "## libraries ${file}"
    if [[ -f "${TRITON}/${file}" ]]; then
      echo "is there"
      libraries_of "${TRITON}/${file}"
    elif [[ -f "${TRITON}/${file%/*}/model.py" ]]; then
      echo "a backend written in Python"
    fi
  done
  echo "## starts"
  LD_LIBRARY_PATH="$(search_path)" "${TRITON}/bin/tritonserver" --help 2>&1 | grep -m 1 -e '--model-repository' || true
}

main "$@"
