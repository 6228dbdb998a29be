"""Subresources that are not plain objects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sbkube.sandbox.access import Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.subresources import eviction


@pytest.mark.parametrize(("query", "body"), [(True, {}), (False, {"deleteOptions": {"dryRun": ["All"]}})])
def test_a_tried_eviction_leaves_the_pod(
    api: Api, kind: Callable[[str, str], Kind], query: bool, body: dict[str, object]
) -> None:
    pods = kind("v1", "Pod")
    spec = {"containers": [{"name": "main", "image": "nginx:1"}]}
    api.create(pods, "default", {"metadata": {"name": "p"}, "spec": spec})
    target = Target(pods, "default", "p", "eviction")
    eviction(api, target, "create", "", body, Options(dry_run=query))
    assert "deletionTimestamp" not in api.get(pods, "default", "p")["metadata"]
    eviction(api, target, "create", "", {}, Options())
    left = api.find(pods, "default", "p")
    assert left is None or left["metadata"]["deletionTimestamp"]
