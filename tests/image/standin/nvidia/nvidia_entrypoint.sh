#!/usr/bin/env bash
# Behaves as the entry point of NVIDIA's images: prints each text, sources each script, prints an empty line, and
# executes the command, or a shell if there is none.
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
