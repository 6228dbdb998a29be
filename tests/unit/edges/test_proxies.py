"""Proxies from the environment, by Go's rules."""

from __future__ import annotations

import pytest

from sbkube.edges.proxies import from_environment

PROXY = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("server", "no_proxy", "proxied"),
    [
        ("https://api.example.com", "", True),
        ("https://api.example.com", "example.com", False),
        ("https://api.example.com", ".example.com", False),
        ("https://example.com", ".example.com", True),
        ("https://badexample.com", "example.com", True),
        ("https://api.example.com:6443", "api.example.com:6443", False),
        ("https://api.example.com:6443", "api.example.com:443", True),
        ("https://10.1.2.3:6443", "10.0.0.0/8", False),
        ("https://10.1.2.3:6443", "192.168.0.0/16, 10.1.2.3", False),
        ("https://10.1.2.3:6443", "192.168.0.0/16", True),
        ("https://[fd00::1]:6443", "fd00::/8", False),
        ("https://[fd00::1]:6443", "fd00::1", False),
        ("https://api.example.com", "*", False),
        ("https://127.0.0.1:6443", "", False),
        ("https://localhost:6443", "", False),
        ("http://api.example.com", "", False),
    ],
)
def test_who_is_proxied(server: str, no_proxy: str, proxied: bool) -> None:
    found = from_environment(server, {**PROXY, "NO_PROXY": no_proxy})
    assert found == ("http://proxy:3128" if proxied else "")


def test_lower_case_and_bare_hosts() -> None:
    assert from_environment("https://a.b", {"https_proxy": "proxy:3128"}) == "http://proxy:3128"
    assert from_environment("https://a.b", {"https_proxy": "proxy:1", "no_proxy": "a.b"}) == ""
