#!/usr/bin/env bash
# Copies to DESTINATION the parts of a full Triton image that serving on a CPU needs: the server, its Python and ONNX
# Runtime backends, python3 with its standard library, their shared libraries and the licences. Runs in `docker build`.
# usage: collect_runtime.sh DESTINATION      example: collect_runtime.sh /rootfs
set -Eeuo pipefail
export LC_ALL=C
umask 022

readonly TRITON=/opt/tritonserver
# If a library of one of these is missing, the server does not start or its models do not load.
readonly ESSENTIAL="^(/usr/bin/python.*|${TRITON}/(bin/tritonserver|backends/(python/.*|onnxruntime/libtriton_.*)))$"
# glibc: the slim base has the same distribution release and brings its own; two glibcs in one process crash.
readonly GLIBC='^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|mvec|anl|thread_db|nss_(files|dns|compat|hesiod))\.so.*|libnsl\.so\.1)$'
# An excluded library that a kept file links against is added again with that file's libraries.
readonly BACKEND_EXCLUDES=(
  --exclude='libonnxruntime_providers_[!s]*' --exclude='libopenvino*' --exclude='libtbb*' --exclude='plugins.xml'
  --exclude='onnxruntime_perf_test' --exclude='onnx_test_runner' --exclude='test' --exclude='tests'
  --exclude='include' --exclude='*.h' --exclude='__pycache__'
)
readonly STDLIB_EXCLUDES=(
  --exclude='test' --exclude='tests' --exclude='idlelib' --exclude='tkinter' --exclude='turtle*' --exclude='ensurepip'
  --exclude='lib2to3' --exclude='pydoc_data' --exclude='config-*' --exclude='site-packages' --exclude='dist-packages'
  --exclude='__pycache__' --exclude='sitecustomize.py' --exclude='EXTERNALLY-MANAGED' --exclude='_tkinter*'
  --exclude='_test*.so' --exclude='_ctypes_test*' --exclude='_xxtestfuzz*' --exclude='xxlimited*'
)

die() {
  echo "ERROR: $1" >&2
  exit 1
}

copy_tree() { # SOURCE [TAR_OPTION ...]: keeps the path, the modes and the links
  local source="$1"
  shift
  tar --create --directory=/ "$@" "${source#/}" | tar --extract --no-same-owner --directory="${destination}"
}

collect_triton() {
  local part
  for part in bin/tritonserver backends/python backends/onnxruntime; do
    [[ -e "${TRITON}/${part}" ]] || die "the base image has no ${TRITON}/${part}: use a full Triton image (-py3)"
  done
  # NVIDIA's compose.py keeps the two licences as well; the last is that of the CUDA base.
  for part in "${TRITON}"/{bin/tritonserver,backends/python,backends/onnxruntime,caches,TRITON_VERSION,LICENSE} \
    "${TRITON}/NVIDIA_Deep_Learning_Container_License.pdf" /NGC-DL-CONTAINER-LICENSE; do
    if [[ -e "${part}" ]]; then
      copy_tree "${part}" "${BACKEND_EXCLUDES[@]}"
    fi
  done
}

collect_python() {
  local found interpreter stdlib
  mapfile -t found < <(python3 -I -S -c \
    'import os, sys; print(os.path.realpath(sys.executable), os.path.realpath(os.path.dirname(os.__file__)), sep="\n")')
  [[ "${#found[@]}" -eq 2 ]] || die "the base image has no working python3, which the Python backend needs"
  interpreter="${found[0]}" stdlib="${found[1]}"
  copy_tree "${interpreter}"
  copy_tree "${stdlib}" "${STDLIB_EXCLUDES[@]}"
  mkdir -p "${destination}/usr/bin"
  [[ -e "${destination}/usr/bin/python3" ]] || ln -s "${interpreter}" "${destination}/usr/bin/python3"
  # Unchecked bytecode stays valid if a builder changes modification times. -d: the final path of the files.
  python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -d "${stdlib}" "${destination}${stdlib}" || true
}

# Copies the libraries of a binary into one folder. They are resolved for the original file, to which RPATH is relative.
collect_libraries_of() { # BINARY
  local name path listing
  listing="$(LD_LIBRARY_PATH="${search_path}" ldd "$1" 2>/dev/null)" || return 0 # a script, or linked statically
  while read -r name path; do
    if [[ "${path}" == not ]]; then
      [[ "$1" =~ ${ESSENTIAL} ]] && die "$1 needs ${name}, which the base image does not have: use a full Triton image (-py3)"
      echo "note: $1 lacks ${name}" >&2
    elif [[ ! "${name}" =~ ${GLIBC} && ! -e "${destination}${path}" && ! -e "${libraries}/${name}" ]]; then
      cp --dereference "${path}" "${libraries}/${name}"
      printf '%s\t%s\n' "${TRITON}/lib/${name}" "${path}" >>"${copies}"
    fi
  done < <(awk '$2 == "=>" && $3 ~ /^(\/|not$)/ { count = split($1, parts, "/"); print parts[count], $3 }' <<<"${listing}")
}

main() {
  [[ $# -eq 1 ]] || die "usage: collect_runtime.sh DESTINATION"
  destination="$1"
  libraries="${destination}${TRITON}/lib" copies="${destination}.copies" # PATH and SOURCE, for inventory.py
  # As in the finished image: Triton's folder first. It has libtritonserver.so, which backends need but do not locate,
  # because Triton has loaded it already. Then the base's folders, without empty entries (the current folder).
  search_path="$(printf '%s:%s' "${TRITON}/lib" "${LD_LIBRARY_PATH:-}" | sed -E 's/:+/:/g; s/:$//')"
  mkdir -p "${libraries}"
  collect_triton
  collect_python
  local binaries binary
  mapfile -d '' -t binaries < <(find "${destination}" -type f \( -name '*.so*' -o -perm /111 \) -print0)
  for binary in "${binaries[@]}"; do
    collect_libraries_of "${binary#"${destination}"}"
  done
  chmod -R a+rX,go-w "${destination}"
}

main "$@"
