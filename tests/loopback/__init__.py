"""Servers on 127.0.0.1 that speak a storage's protocol, so that the real clients can be tested without a network."""
