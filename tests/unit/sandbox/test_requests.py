"""Requests for resources as values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.requests import Request, carry_out
from sbkube.sandbox.routing import Target


@pytest.mark.parametrize(
    ("api_version", "name", "body", "answer"),
    [
        ("storage.k8s.io/v1", "StorageClass", {"provisioner": "example.com/none"}, "StorageClass"),
        ("scheduling.k8s.io/v1", "PriorityClass", {"value": 1}, "Status"),
    ],
)
def test_some_kinds_answer_their_deletion_with_the_object(
    api: Api, kind: Callable[[str, str], Kind], api_version: str, name: str, body: dict[str, object], answer: str
) -> None:
    found = kind(api_version, name)
    api.create(found, "", {"metadata": {"name": "x"}, **body})
    assert carry_out(api, Request(Target(found, "", "x"), "DELETE", {})).body["kind"] == answer
