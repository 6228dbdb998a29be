"""Subresources that are not plain objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sbkube.sandbox.access import Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.status import StatusError
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


Pods = tuple[Api, Kind]


@pytest.fixture
def running(api: Api, kind: Callable[[str, str], Kind]) -> Pods:
    """The API with the pod `p`, whose container is `main`."""
    pods = kind("v1", "Pod")
    spec = {"containers": [{"name": "main", "image": "nginx:1"}]}
    api.create(pods, "default", {"metadata": {"name": "p"}, "spec": spec})
    return api, pods


def patched(pods: Pods, subresource: str, spec: dict[str, Any]) -> dict[str, Any]:
    api, kind = pods
    found, _ = api.patch(kind, "default", "p", "strategic", {"spec": spec}, Options(), subresource)
    return found


def test_an_ephemeral_container_is_added_and_stays(running: Pods) -> None:
    added = {"name": "debug", "image": "busybox:1", "targetContainerName": "main"}
    changed = {"containers": [{"name": "main", "image": "other"}], "ephemeralContainers": [added]}
    found = patched(running, "ephemeralcontainers", changed)
    assert [c["name"] for c in found["spec"]["ephemeralContainers"]] == ["debug"]
    assert found["spec"]["containers"][0]["image"] == "nginx:1"
    assert found["metadata"]["generation"] == 2
    for wrong, text in (
        ({"name": "main", "image": "x"}, "Duplicate value"),
        ({"name": "debug", "image": "x"}, "may not be changed"),
        ({"name": "none"}, "Required value"),
    ):
        with pytest.raises(StatusError, match=text) as caught:
            patched(running, "ephemeralcontainers", {"ephemeralContainers": [wrong]})
        assert caught.value.code == 422
    with pytest.raises(StatusError, match="may not be removed"):
        patched(running, "ephemeralcontainers", {"ephemeralContainers": None})
    with pytest.raises(StatusError, match="pod updates may not change"):
        patched(running, "", {"ephemeralContainers": [{"name": "second", "image": "x"}]})


def test_a_resize_changes_resources_only(running: Pods) -> None:
    wanted = {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}
    found = patched(running, "resize", {"containers": [{"name": "main", "image": "other", "resources": wanted}]})
    main = found["spec"]["containers"][0]
    assert (main["image"], main["resources"]) == ("nginx:1", wanted)
    with pytest.raises(StatusError, match="must be less than or equal to cpu limit"):
        patched(running, "resize", {"containers": [{"name": "main", "resources": {"requests": {"cpu": "2"}}}]})
    with pytest.raises(StatusError, match="pod updates may not change"):
        patched(running, "", {"containers": [{"name": "main", "resources": {"limits": {"cpu": "2"}}}]})
