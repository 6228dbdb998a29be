"""Refusals and broken connections in our own words."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any

import pytest

from sbkube.edges.access import Access
from sbkube.edges.status import from_event, refused, unreachable
from sbkube.edges.wire import Answer
from sbkube.errors import ClusterError, ClusterForbidden

ACCESS = Access("https://api:6443", context="prod", user="me", proxy="http://u:secret@proxy:1")


def status(code: int, message: str, **more: Any) -> Answer:
    return Answer(code, {}, json.dumps({"kind": "Status", "message": message, **more}).encode())


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            'User "ci" cannot patch resource "deployments" in API group "apps" in the namespace "shop"',
            '"ci" needs the verb "patch" on deployments.apps in namespace shop (a Role or ClusterRole)',
        ),
        (
            'forbidden: User "ci" cannot get resource "namespaces" in API group "" in the namespace "x"',
            '"ci" needs the verb "get" on namespaces in namespace x (a Role or ClusterRole)',
        ),
        (
            'nodes is forbidden: User "ci" cannot list resource "nodes" in API group "" at the cluster scope',
            '"ci" needs the verb "list" on nodes in the whole cluster (a Role or ClusterRole)',
        ),
        (
            'forbidden: User "system:anonymous" cannot get path "/api"',
            '"system:anonymous" needs the right to get /api',
        ),
        ("forbidden", "ask for the right to do this, or use another context"),
    ],
)
def test_the_missing_right_is_named(message: str, hint: str) -> None:
    error = refused(status(403, message, reason="Forbidden"), ACCESS, "Deployment/web")
    assert isinstance(error, ClusterForbidden)
    assert (error.message, error.subject, error.hint) == (message, "Deployment/web", hint)


@pytest.mark.parametrize(
    "message",
    [
        'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
        'pods "a" is forbidden: violates PodSecurity "restricted:latest": privileged',
        'admission webhook "x.y" denied the request: no',
        'configmaps "a" is forbidden: unable to create new content in namespace x because it is being terminated',
    ],
)
def test_admission_refuses_an_object_and_not_us(message: str) -> None:
    error = refused(status(403, message, reason="Forbidden"), ACCESS, "Pod/a")
    assert isinstance(error, ClusterError)
    assert error.code == 403


def test_causes_come_along() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "field": ".data.a", "message": 'conflict with "kubectl"'},
        {"message": "field is immutable", "field": "spec.x"},
    ]
    error = refused(
        status(409, "Apply failed\nwith 1 conflict", reason="Conflict", details={"causes": causes}), ACCESS
    )
    assert isinstance(error, ClusterError)
    assert error.conflict
    assert error.message == "Apply failed with 1 conflict"
    assert error.causes == ((".data.a", 'conflict with "kubectl"'), ("spec.x", "field is immutable"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><body><h1>502 Bad Gateway</h1></body></html>", "HTTP 502: 502 Bad Gateway"),
        (b"", "HTTP 502"),
        (b"\xff\xfe", "HTTP 502: ��"),
        (b"[]", "HTTP 502: []"),
    ],
)
def test_proxies_do_not_answer_in_json(body: bytes, message: str) -> None:
    assert refused(Answer(502, {}, body), ACCESS).message == message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "x"), "connection refused"),
        (socket.gaierror(-2, "x"), "the name cannot be resolved"),
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(), "the connection was lost"),
        (ssl.SSLError(1, "x"), "TLS failed"),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "its certificate is not trusted"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (ValueError("invalid literal"), "invalid literal"),
    ],
)
def test_every_broken_connection_has_a_way_out(error: Exception, words: str) -> None:
    found = unreachable(error, ACCESS)
    assert words in found.message
    assert found.hint
    assert "proxy:1" in found.message
    assert "secret" not in found.message


def test_an_error_event_of_a_watch() -> None:
    error = from_event({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}, "Pod")
    assert (error.code, error.reason, str(error)) == (410, "Expired", "Pod: too old")
