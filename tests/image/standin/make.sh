#!/usr/bin/env bash
# Makes the stand-ins for the two base images on the Docker engine in use, unless they are there already:
# triton-standin:24.10 (for NVIDIA's) and triton-standin-slim:bookworm (for ubuntu). Needs root and debootstrap.
# usage: make.sh WHEELHOUSE      (a folder with the wheels of deploy/pypi_triton/requirements.txt and of pip)
# DOCKER names the docker client to use (default: the first on PATH).
set -Eeuo pipefail

readonly DOCKER="${DOCKER:-docker}"
readonly SUITE=bookworm
readonly SLIM=triton-standin-slim:bookworm
readonly FULL=triton-standin:24.10
readonly LABEL=triton-image-factory.standin

is_made() { # IMAGE DIGEST
  [[ "$("${DOCKER}" image inspect --format "{{index .Config.Labels \"${LABEL}\"}}" "$1" 2>/dev/null)" == "$2" ]]
}

# A tarball of a bare Debian, kept outside the checkout; its name changes with what goes into it.
bootstrap() { # NAME [PACKAGES]
  local name="$1" packages="${2:-}" key tarball
  key="$(printf '%s %s' "${SUITE}" "${packages}" | sha256sum | cut -c1-16)"
  tarball="${cache}/${name}-${key}.tar"
  if [[ ! -f "${tarball}" ]]; then
    debootstrap --variant=minbase ${packages:+"--include=${packages}"} "${SUITE}" "${work}/${name}" >&2
    rm -rf -- "${work:?}/${name:?}/var/cache/apt" "${work:?}/${name:?}/var/lib/apt/lists"
    tar --create --numeric-owner --directory="${work}/${name}" --file="${work}/${name}.tar" .
    mv "${work}/${name}.tar" "${tarball}.$$"
    mv "${tarball}.$$" "${tarball}"
  fi
  echo "${tarball}"
}

main() {
  local here root wheelhouse digest tarball
  wheelhouse="$(readlink -f "$1")"
  here="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  root="$(cd "${here}/../../.." && pwd -P)"
  cache="${XDG_CACHE_HOME:-${HOME}/.cache}/triton-image-factory/standin"
  mkdir -p "${cache}"
  work="$(mktemp -d)"
  trap 'rm -rf -- "${work:?}"' EXIT
  digest="$(cat "${here}"/* "${root}"/deploy/pypi_triton/backends/onnxruntime/model.py <(ls "${wheelhouse}") | sha256sum | cut -c1-16)"
  if ! is_made "${SLIM}" "${digest}"; then
    tarball="$(bootstrap slim)"
    "${DOCKER}" import --change "LABEL ${LABEL}=${digest}" --change 'CMD ["bash"]' "${tarball}" "${SLIM}" >&2
  fi
  if ! is_made "${FULL}" "${digest}"; then
    tarball="$(bootstrap python python3,libpython3.11)"
    "${DOCKER}" import "${tarball}" triton-standin-python:bookworm >&2
    mkdir "${work}/context"
    cp "${here}/Dockerfile" "${work}/context/"
    cp -r "${wheelhouse}" "${work}/context/wheelhouse"
    cp -r "${root}/deploy/pypi_triton/backends/onnxruntime" "${work}/context/onnxruntime"
    "${DOCKER}" build --network none --label "${LABEL}=${digest}" --build-arg BASE_IMAGE=triton-standin-python:bookworm \
      --tag "${FULL}" "${work}/context" >&2
  fi
}

main "$@"
