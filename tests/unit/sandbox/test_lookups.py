"""What admission looks up: classes, priorities, service accounts; and what becomes of refused workloads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sbkube.sandbox.inprocess import InProcess

Json = dict[str, Any]
SPACE = "/api/v1/namespaces/default"
PODS, ACCOUNTS = f"{SPACE}/pods", f"{SPACE}/serviceaccounts"
APPS, JOBS = "/apis/apps/v1/namespaces/default", "/apis/batch/v1/namespaces/default/jobs"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
MISSING = 'error looking up service account default/worker: serviceaccount "worker" not found'


@pytest.fixture
def box() -> Iterator[InProcess]:
    with InProcess() as made:
        yield made


def pod(**spec: Any) -> Json:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def until(box: InProcess, path: str, holds: Any) -> Json:
    deadline = time.monotonic() + 30
    while True:
        found: Json = box.request("GET", path).json()
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_a_pod_needs_its_service_account(box: InProcess) -> None:
    answer = box.request("POST", PODS, pod(serviceAccountName="worker"))
    assert (answer.status, answer.json()["message"]) == (403, f'pods "p" is forbidden: {MISSING}')
    box.request("POST", ACCOUNTS, {"metadata": {"name": "worker"}})
    assert box.request("POST", PODS, pod(serviceAccountName="worker")).status == 201


def test_a_pod_gets_the_priority_of_its_class(box: InProcess) -> None:
    answer = box.request("POST", PODS, pod(priorityClassName="none"))
    assert (answer.status, answer.json()["reason"]) == (403, "Forbidden")
    assert "no PriorityClass with name none was found" in answer.json()["message"]
    critical = box.request("POST", PODS, pod(priorityClassName="system-node-critical")).json()
    assert critical["spec"]["priority"] == 2_000_001_000
    usual = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True, "preemptionPolicy": "Never"}
    assert box.request("POST", CLASSES, usual).status == 201
    made = box.request("POST", PODS, {**pod(), "metadata": {"name": "q"}}).json()["spec"]
    assert (made["priorityClassName"], made["priority"], made["preemptionPolicy"]) == ("usual", 7, "Never")


def workload(kind: str) -> tuple[str, Json]:
    """Where it is made, and a body that names a service account."""
    labels = {"app": "w"}
    template: Json = {"spec": pod(serviceAccountName="worker")["spec"]}
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        return JOBS, {"metadata": {"name": "w"}, "spec": {"template": template}}
    template["metadata"] = {"labels": labels}
    spec: Json = {"selector": {"matchLabels": labels}, "template": template}
    return f"{APPS}/{kind.lower()}s", {"metadata": {"name": "w"}, "spec": spec}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job"])
def test_a_workload_whose_account_comes_later(box: InProcess, kind: str) -> None:
    place, body = workload(kind)
    assert box.request("POST", place, body).status == 201
    events = until(
        box, f"{SPACE}/events", lambda found: any(e["reason"] == "FailedCreate" for e in found["items"])
    )
    told = next(e for e in events["items"] if e["reason"] == "FailedCreate")
    assert told["type"] == "Warning" and MISSING in told["message"]
    if kind == "Deployment":
        found = until(
            box,
            f"{place}/w",
            lambda d: any(c["type"] == "ReplicaFailure" for c in d.get("status", {}).get("conditions") or ()),
        )
        failure = next(c for c in found["status"]["conditions"] if c["type"] == "ReplicaFailure")
        assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
        assert MISSING in failure["message"]
    box.request("POST", ACCOUNTS, {"metadata": {"name": "worker"}})
    until(
        box,
        PODS,
        lambda found: [p["status"]["phase"] in ("Running", "Succeeded") for p in found["items"]] == [True],
    )
    if kind == "Deployment":
        until(box, f"{place}/w", lambda d: d["status"].get("readyReplicas") == 1)
        conditions = box.request("GET", f"{place}/w").json()["status"]["conditions"]
        assert {c["type"] for c in conditions} == {"Available", "Progressing"}


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_namespaces_that_stay(box: InProcess, name: str) -> None:
    answer = box.request("DELETE", f"/api/v1/namespaces/{name}")
    assert answer.status == 403
    assert answer.json()["message"] == f'namespaces "{name}" is forbidden: this namespace may not be deleted'
