"""A tritonserver on this machine: its folder, its process, its ports and address."""
