#!/usr/bin/env bash
# As the entry point of NVIDIA's images behaves: shows each text, sources each script, prints an empty line, and
# becomes the command, or a shell without one.
shopt -s nullglob
for part in /opt/nvidia/entrypoint.d/*; do
  # shellcheck disable=SC1090
  if [[ "${part}" == *.sh ]]; then source "${part}"; else cat "${part}"; fi
done
echo
if [[ $# -eq 0 ]]; then
  exec /bin/bash
fi
exec "$@"
