"""Registries of images and artifacts: references, requests with credentials of docker, manifests and blobs."""
