"""Servers on 127.0.0.1 that speak the protocol of a storage: real clients are tested without a network."""
