#!/usr/bin/env bash
# Builds the stand-ins for the two base images on the Docker engine in use, unless it has them:
# triton-standin:SUITE-PYTHON (for NVIDIA's) and triton-standin-slim:SUITE (for ubuntu). Needs root and debootstrap.
# usage: make.sh SUITE PYTHON WHEELHOUSE      example: make.sh bookworm 3.11 ./wheelhouse
# SUITE is a Debian release; PYTHON is its own or bookworm's. WHEELHOUSE holds the wheels of requirements.txt in this
# folder and pip's. DOCKER is the docker client (default: the first on PATH).
set -Eeuo pipefail

readonly DOCKER="${DOCKER:-docker}"
readonly LABEL=triton-image-factory.standin
declare -rA OWN_PYTHON=([bookworm]=3.11 [trixie]=3.13)

is_made() { # IMAGE DIGEST
  [[ "$("${DOCKER}" image inspect --format "{{index .Config.Labels \"${LABEL}\"}}" "$1" 2>/dev/null)" == "$2" ]]
}

# A tarball of a minimal Debian, cached outside of the checkout; its name has a digest of its packages.
bootstrap() { # NAME SUITE [PACKAGES]
  local name="$1" suite="$2" packages="${3:-}" key tarball
  key="$(printf '%s %s' "${suite}" "${packages}" | sha256sum | cut -c1-16)"
  tarball="${cache}/${name}-${key}.tar"
  if [[ ! -f "${tarball}" ]]; then
    debootstrap --variant=minbase ${packages:+"--include=${packages}"} "${suite}" "${work}/${name}" >&2
    rm -rf -- "${work:?}/${name:?}/var/cache/apt" "${work:?}/${name:?}/var/lib/apt/lists"
    tar --create --numeric-owner --directory="${work}/${name}" --file="${work}/${name}.tar" .
    mv "${work}/${name}.tar" "${tarball}.$$"
    mv "${tarball}.$$" "${tarball}"
    rm -rf -- "${work:?}/${name:?}"
  fi
  echo "${tarball}"
}

build() { # IMAGE DIGEST FOLDER [OPTION ...]
  local image="$1" digest="$2" folder="$3"
  shift 3
  "${DOCKER}" build --network none --label "${LABEL}=${digest}" "$@" --tag "${image}" "${folder}" >&2
}

make_slim() { # SUITE DIGEST: the output of debootstrap
  local image="triton-standin-slim:$1" tarball
  is_made "${image}" "$2" && return
  tarball="$(bootstrap slim "$1")"
  "${DOCKER}" import --change "LABEL ${LABEL}=$2" --change 'CMD ["bash"]' "${tarball}" "${image}" >&2
}

make_own_python() { # SUITE: prints the image's name
  local image="triton-standin-python:$1" tarball
  tarball="$(bootstrap python "$1" "python3,libpython${OWN_PYTHON[$1]}")"
  "${DOCKER}" import "${tarball}" "${image}" >&2
  echo "${image}"
}

# bookworm's python3 in another Debian, whose libraries have the same names.
make_other_python() { # SUITE PYTHON DIGEST: prints the image's name
  local image="triton-standin-python:$1-$2" older newer
  older="$(make_own_python bookworm)"
  newer="$(make_own_python "$1")"
  mkdir "${work}/python"
  cat >"${work}/python/Dockerfile" <<TEXT
FROM ${older} AS older
FROM ${newer}
COPY --from=older /usr/bin/python$2 /usr/bin/
COPY --from=older /usr/lib/python$2/ /usr/lib/python$2/
COPY --from=older /usr/lib/x86_64-linux-gnu/libpython$2.so.1.0 /usr/lib/x86_64-linux-gnu/
RUN ln -sf python$2 /usr/bin/python3 && ldconfig
TEXT
  build "${image}" "$3" "${work}/python"
  echo "${image}"
}

make_full() { # SUITE PYTHON DIGEST WHEELHOUSE
  local image="triton-standin:$1-$2" plain
  is_made "${image}" "$3" && return
  if [[ "$2" == "${OWN_PYTHON[$1]}" ]]; then plain="$(make_own_python "$1")"; else plain="$(make_other_python "$1" "$2" "$3")"; fi
  mkdir "${work}/context"
  cp -r "${here}/Dockerfile" "${here}/lay_out.sh" "${here}/nvidia" "${work}/context/"
  cp -r "$4" "${work}/context/wheelhouse"
  cp -r "${root}/deploy/pypi_triton/backends/onnxruntime" "${work}/context/onnxruntime"
  build "${image}" "$3" "${work}/context" --build-arg "BASE_IMAGE=${plain}"
}

main() {
  local wheelhouse digest lock
  wheelhouse="$(readlink -f "$3")"
  here="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
  root="$(cd "${here}/../../.." && pwd -P)"
  cache="${XDG_CACHE_HOME:-${HOME}/.cache}/triton-image-factory/standin"
  mkdir -p "${cache}"
  work="$(mktemp -d)"
  trap 'rm -rf -- "${work:?}"' EXIT
  exec {lock}>"${cache}/.lock"
  flock "${lock}" # concurrent test workers build the images once
  digest="$(find "${here}" "${root}/deploy/pypi_triton/backends/onnxruntime" -type f ! -name '*.pyc' -print0 \
    | sort -z | xargs -0 cat - <(ls "${wheelhouse}") | sha256sum | cut -c1-16)"
  make_slim "$1" "$1"
  make_full "$1" "$2" "${digest}" "${wheelhouse}"
}

main "$@"
