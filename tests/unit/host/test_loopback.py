"""Each library is called itself: they differ in which proxy variables they read."""

import urllib.request

import pytest
import requests.utils

from utils.host.loopback import HOSTS, curl, keep_from_proxies

PROXY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": ""}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": "example.org, 10.0.0.1"}, "example.org,10.0.0.1,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "example.org"}, "example.org,localhost,127.0.0.1,::1"),
        ({"no_proxy": "127.0.0.1"}, "127.0.0.1,localhost,::1"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_the_loopback_is_added_to_the_variables(before, after):
    environment = dict(before)
    keep_from_proxies(environment)
    assert environment == {"no_proxy": after, "NO_PROXY": after}
    keep_from_proxies(environment)
    assert environment["no_proxy"] == after


def test_gRPC_reads_no_grpc_proxy_first():
    environment = {"no_grpc_proxy": "example.org"}
    keep_from_proxies(environment)
    assert environment["no_grpc_proxy"] == "example.org,localhost,127.0.0.1,::1"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_urllib_and_requests_bypass_the_proxy(monkeypatch, host, variable):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, PROXY)
    url = f"http://{f'[{host}]' if ':' in host else host}:8000/v2/health/ready"
    assert requests.utils.get_environ_proxies(url)
    keep_from_proxies()
    assert not requests.utils.get_environ_proxies(url)
    assert urllib.request.proxy_bypass(host)
    assert not urllib.request.proxy_bypass("example.org")


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("http_proxy", ["curl", "--noproxy", "*"]),
        ("ALL_PROXY", ["curl", "--noproxy", "*"]),
        ("HTTP_PROXY", ["curl"]),
        ("https_proxy", ["curl"]),
    ],
)
def test_printed_curl_commands_bypass_the_proxy(monkeypatch, variable, command):
    """curl reads http_proxy in lower case only."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, PROXY)
    assert curl() == command
