#!/bin/bash
# On Vertex AI the arguments become those of tritonserver.
if [[ -n "${AIP_MODE:-}" ]]; then
  set -- "/opt/tritonserver/bin/tritonserver" "$@"
fi
