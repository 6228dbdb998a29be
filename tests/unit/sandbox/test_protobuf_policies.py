"""Roles, quotas and routes as typed Go clients send them."""

from __future__ import annotations

from sbkube.sandbox.protobuf import decode, encode_unknown


def part(number: int, content: bytes | str) -> bytes:
    """One length-delimited field."""
    data = content.encode() if isinstance(content, str) else content
    return bytes([number << 3 | 2, len(data)]) + data


META = part(1, part(1, "x"))


def test_a_role() -> None:
    rule = part(1, "get") + part(1, "list") + part(2, "") + part(3, "pods")
    found = decode(encode_unknown("rbac.authorization.k8s.io/v1", "Role", META + part(2, rule)))
    assert found["rules"] == [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]


def test_quantities_are_texts() -> None:
    hard = part(1, part(1, "pods") + part(2, part(1, "3")))
    found = decode(encode_unknown("v1", "ResourceQuota", META + part(2, hard)))
    assert found["spec"] == {"hard": {"pods": "3"}}


def test_the_value_of_an_ingress_rule_is_inline() -> None:
    port = bytes([2 << 3, 80])
    service = part(1, "s") + part(2, port)
    path = part(1, "/") + part(2, part(4, service)) + part(3, "Prefix")
    rule = part(1, "a.b") + part(2, part(1, part(1, path)))
    found = decode(encode_unknown("networking.k8s.io/v1", "Ingress", META + part(2, part(3, rule))))
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    wanted = {"host": "a.b", "http": {"paths": [{"path": "/", "backend": backend, "pathType": "Prefix"}]}}
    assert found["spec"] == {"rules": [wanted]}
