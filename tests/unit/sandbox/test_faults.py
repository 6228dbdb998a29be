"""Which requests a fault meets, how often, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sbkube.sandbox.faults import Fault, Faults, Met
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.status import StatusError

Finder = Callable[[str, str], Kind]


@pytest.fixture
def met(kind: Finder) -> Met:
    """A create of a Deployment."""
    deployment = kind("apps/v1", "Deployment")
    path = "/apis/apps/v1/namespaces/prod/deployments"
    return Met(path, "create", deployment, "prod", "web-1", agent="helm/4", manager="helm")


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"verb": "create"},
        {"verb": ["patch", "create"]},
        {"kind": "Deployment"},
        {"kind": "deployments"},
        {"kind": "deployments.apps"},
        {"namespace": "pr*", "name": "web-?"},
        {"subresource": "-"},
        {"agent": "helm/*", "manager": "helm"},
        {"path": "/apis/apps/*"},
        {"dry_run": False},
        {"kind": ""},
    ],
)
def test_what_matches(met: Met, wanted: dict[str, Any]) -> None:
    assert Fault.of(wanted).matches(met)


@pytest.mark.parametrize(
    "wanted",
    [
        {"verb": "patch"},
        {"kind": "Pod"},
        {"namespace": "dev"},
        {"name": "web"},
        {"subresource": "status"},
        {"agent": "kubectl*"},
        {"path": "/api/*"},
        {"dry_run": True},
    ],
)
def test_what_does_not_match(met: Met, wanted: dict[str, Any]) -> None:
    assert not Fault.of(wanted).matches(met)


def test_only_a_path_meets_what_is_no_resource() -> None:
    version = Met("/version", "get")
    assert not Fault.of({"verb": "get"}).matches(version)
    assert Fault.of({"path": "/version"}).matches(version)


def test_some_pass_and_then_so_many_fail(met: Met) -> None:
    faults = Faults()
    faults.add({"status": 500, "skip": 2, "times": 2})
    assert [faults.take(met) is not None for _ in range(6)] == [False, False, True, True, False, False]
    assert faults.listed() == {"waiting": 0, "met": 2, "faults": []}
    faults.add({"status": 500, "times": 0})
    assert all(faults.take(met) for _ in range(20))
    faults.clear()
    assert faults.take(met) is None


def test_what_waits_is_told(met: Met) -> None:
    faults = Faults()
    faults.add({"kind": "Pod", "cut": "after", "dry_run": False}, {"skip": 3, "status": 503})
    faults.take(met)
    assert faults.listed()["faults"] == [
        {"kind": ("Pod",), "dry_run": False, "times": 1, "cut": "after"},
        {"times": 1, "skip": 2, "status": 503},
    ]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"colour": 1}, "unknown members of a fault: colour"),
        ({"status": 200}, "status of a fault is an HTTP code between 400 and 599"),
        ({"status": "500"}, "status of a fault is a whole number"),
        ({"times": -1}, "times of a fault is a whole number"),
        ({"times": True}, "times of a fault is a whole number"),
        ({"latency": "1"}, "latency of a fault is a number of seconds"),
        ({"cut": "middle"}, "cut of a fault is one of before, after, body"),
        ({"verb": 3}, "verb of a fault is a text or a list of texts"),
        ({"dry_run": "yes"}, "dry_run of a fault is true or false"),
        ([], "a fault is a JSON object"),
        (None, "a fault is a JSON object"),
    ],
)
def test_a_wrong_fault_is_refused_and_none_is_added(fault: Any, text: str) -> None:
    faults = Faults()
    with pytest.raises(StatusError, match=text):
        faults.add({"status": 500}, fault)
    assert faults.waiting == []


def _error(met: Met, **fault: Any) -> StatusError:
    return Fault.of(fault).error(met)


def test_refusals_are_worded_like_the_servers(met: Met) -> None:
    assert _error(met, status=403).message == (
        'deployments.apps "web-1" is forbidden: User "sandbox" cannot create resource "deployments" in API group '
        '"apps" in the namespace "prod"'
    )
    assert _error(met, status=404).message == 'deployments.apps "web-1" not found'
    conflict = _error(met, status=409)
    assert conflict.reason == "Conflict"
    assert conflict.message.startswith('Operation cannot be fulfilled on deployments.apps "web-1": the object has')
    assert _error(met, status=409, reason="AlreadyExists").message == 'deployments.apps "web-1" already exists'
    invalid = _error(met, status=422)
    assert (invalid.reason, (invalid.details or {})["name"]) == ("Invalid", "web-1")
    busy = _error(met, status=429, retry_after=3)
    assert (busy.headers, busy.details) == ({"Retry-After": "3"}, {"retryAfterSeconds": 3})
    assert _error(met, status=500, message="boom", reason="Why").body()["message"] == "boom"
    assert _error(met, status=400, dry_run=True).message == (
        'admission webhook "sandbox" does not support dry run'
    )
