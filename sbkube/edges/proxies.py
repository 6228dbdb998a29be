"""Which proxy leads to a server, by the rules of Go's `httpproxy`, which kubectl and Helm follow too."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def from_environment(server: str, environ: Mapping[str, str]) -> str:
    """The proxy URL for `server`, or "" for a direct connection.

    HTTPS_PROXY or HTTP_PROXY by the server's scheme, lower case names as well; NO_PROXY holds host names,
    `.domain` suffixes, addresses, CIDR blocks, each with an optional port, or `*`. Loopback is never proxied.
    """
    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy"
    proxy = environ.get(name.upper()) or environ.get(name) or ""
    if not proxy or _loopback(parts.hostname or ""):
        return ""
    exceptions = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if any(_matches(rule.strip().lower(), parts.hostname or "", port) for rule in exceptions.split(",")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _matches(rule: str, host: str, port: int) -> bool:
    if not rule:
        return False
    if rule == "*":
        return True
    address = _address(host)
    if "/" in rule:
        return address is not None and _in_block(rule, address)
    if _address(rule) is None and ":" in rule:
        rule, _, wanted = rule.rpartition(":")
        if wanted != str(port):
            return False
    if address is not None:
        return _address(rule) == address
    suffix = rule.removeprefix("*")
    if suffix.startswith("."):
        return host.endswith(suffix)
    return host == suffix or host.endswith("." + suffix)


def _in_block(rule: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False
