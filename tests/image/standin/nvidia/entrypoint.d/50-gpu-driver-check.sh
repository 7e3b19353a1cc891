#!/bin/bash
# NVIDIA's script prints this on a host without a GPU.
echo
echo "WARNING: The NVIDIA Driver was not detected.  GPU functionality will not be available."
export STANDIN_ENTRY_SCRIPTS_RAN=1
