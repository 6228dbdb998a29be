"""Autoscalers keep their targets within bounds and follow a load that is given to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sbkube.sandbox.inprocess import InProcess

Json = dict[str, Any]
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SCALERS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def box() -> Iterator[InProcess]:
    """A sandbox with a Deployment of three."""
    with InProcess() as made:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "m", "image": "i"}]}}
        spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        made.request("POST", DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
        yield made


def scaler(box: InProcess, low: int, high: int, load: str = "", target: str = "web") -> None:
    """Makes the autoscaler."""
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization",
                                                                         "averageUtilization": 50}}}  # fmt: skip
    spec = {"minReplicas": low, "maxReplicas": high, "metrics": [metric],
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}}  # fmt: skip
    annotations = {"sandbox.sbkube.dev/load": load} if load else {}
    answer = box.request("POST", SCALERS, {"metadata": {"name": "h", "annotations": annotations}, "spec": spec})
    assert answer.status == 201, answer.body


def status(box: InProcess) -> Json:
    """Its status."""
    found: Json = box.request("GET", f"{SCALERS}/h").json().get("status") or {}
    return found


def conditions(box: InProcess) -> dict[str, str]:
    """Its conditions and their reasons."""
    return {c["type"]: c["reason"] for c in status(box).get("conditions") or ()}


def deployment(box: InProcess) -> Json:
    """The target."""
    found: Json = box.request("GET", f"{DEPLOYMENTS}/web").json()
    return found


def until(check: Callable[[], object]) -> None:
    """Waits for what controllers do."""
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("low", "high", "load", "wanted"),
    [
        (1, 5, "", 3),
        (4, 9, "", 4),
        (1, 2, "", 2),
        (1, 9, "6.2", 7),
        (2, 9, "0", 2),
        (1, 9, "3.2", 3),
        (1, 5, "40", 5),
    ],
)
def test_bounds_and_load(box: InProcess, low: int, high: int, load: str, wanted: int) -> None:
    scaler(box, low, high, load)
    until(lambda: deployment(box)["spec"]["replicas"] == wanted and status(box).get("currentReplicas") == wanted)
    until(lambda: deployment(box)["status"].get("readyReplicas") == wanted)
    assert status(box)["desiredReplicas"] == wanted
    assert conditions(box)["ScalingActive"] == ("ValidMetricFound" if load else "FailedGetResourceMetric")


def test_the_load_may_change(box: InProcess) -> None:
    scaler(box, 1, 9, "3")
    until(lambda: status(box).get("currentMetrics"))
    assert status(box)["currentMetrics"][0]["resource"]["current"]["averageUtilization"] == 50
    patch = {"metadata": {"annotations": {"sandbox.sbkube.dev/load": "8"}}}
    box.request("PATCH", f"{SCALERS}/h", patch, MERGE)
    until(lambda: deployment(box)["spec"]["replicas"] == 8)
    owners = {(e["manager"], e.get("subresource")) for e in deployment(box)["metadata"]["managedFields"]}
    assert ("sandbox-controller", "scale") in owners


def test_a_missing_target_is_told(box: InProcess) -> None:
    scaler(box, 1, 9, target="none")
    until(lambda: conditions(box).get("AbleToScale") == "FailedGetScale")
