"""A failure is told in one line that names pod, container and reason."""

from __future__ import annotations

from typing import Any

import pytest

from sbkube.health.culprit import explain, fatal_reason, log_source


def pod(
    *containers: dict[str, Any], phase: str = "Pending", owner: str = "ReplicaSet", **status: Any
) -> dict[str, Any]:
    owners = [{"kind": owner, "name": "o", "controller": True}] if owner else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "ownerReferences": owners},
        "status": {"phase": phase, "containerStatuses": list(containers), **status},
    }


def waits(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {
        "name": "app",
        "image": "nginx:nope",
        "state": {"waiting": {"reason": reason, "message": message}},
        **more,
    }


CRASH = waits(
    "CrashLoopBackOff",
    "back-off 40s",
    restartCount=3,
    lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
)
OOM = waits("CrashLoopBackOff", restartCount=1, lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
UNSCHEDULABLE = {
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes fit"}
    ]
}


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (pod(waits("ImagePullBackOff")), "ImagePullBackOff"),
        (pod(waits("InvalidImageName")), "InvalidImageName"),
        (pod(waits("CreateContainerConfigError")), "CreateContainerConfigError"),
        (pod(CRASH, phase="Running"), "CrashLoopBackOff"),
        (pod(OOM, phase="Running"), "OOMKilled"),
        (pod(**UNSCHEDULABLE), "Unschedulable"),
        (pod(waits("ContainerCreating")), None),
        (pod(phase="Running"), None),
        (pod(CRASH, phase="Running", owner="Job"), None),
        (pod(waits("ImagePullBackOff"), owner="Job"), "ImagePullBackOff"),
        (pod(phase="Failed", reason="Evicted"), None),
        (pod(phase="Failed", reason="Evicted", owner=""), "Evicted"),
        ({}, None),
    ],
)
def test_fatal_reason(live: dict[str, Any], reason: str | None) -> None:
    assert fatal_reason(live) == reason


def test_a_pod_that_is_being_deleted_is_not_to_blame() -> None:
    live = pod(waits("ImagePullBackOff"))
    live["metadata"]["deletionTimestamp"] = "t"
    assert fatal_reason(live) is None


def test_image_errors_use_the_registrys_words() -> None:
    events = [
        {"type": "Warning", "reason": "BackOff", "message": "Back-off pulling", "count": 4, "lastTimestamp": "2"},
        {
            "type": "Warning",
            "reason": "Failed",
            "message": 'Failed to pull image "nginx:nope": not found',
            "lastTimestamp": "1",
        },
    ]
    culprit = explain(pod(waits("ImagePullBackOff", 'Back-off pulling image "nginx:nope"')), events)
    assert str(culprit) == (
        'ImagePullBackOff: Pod/web-1 in shop, container app: Failed to pull image "nginx:nope": not found'
    )
    assert culprit is not None and culprit.events[-1] == "Warning BackOff (x4): Back-off pulling"


def test_a_crash_loop_ends_with_what_it_said_last() -> None:
    culprit = explain(pod(CRASH, phase="Running"), (), "starting\nno database at db:5432\n\n")
    assert culprit is not None
    assert culprit.message == "exited with code 1, 3 restarts; last said: no database at db:5432"
    assert culprit.log[0] == "starting"


def test_only_the_last_twenty_log_lines_are_kept() -> None:
    culprit = explain(pod(CRASH), (), [str(n) for n in range(50)])
    assert culprit is not None and culprit.log == tuple(str(n) for n in range(30, 50))


def test_unschedulable() -> None:
    assert str(explain(pod(**UNSCHEDULABLE))) == "Unschedulable: Pod/web-1 in shop: 0/1 nodes fit"


def test_init_containers_are_named_as_such() -> None:
    live = pod(waits("PodInitializing"), initContainerStatuses=[{**CRASH, "name": "migrate"}])
    assert str(explain(live)).startswith(
        "CrashLoopBackOff: Pod/web-1 in shop, init container migrate: exited with"
    )


def test_other_objects_are_explained_by_their_newest_warning() -> None:
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1},
        "status": {},
    }
    event = {"type": "Warning", "reason": "FailedCreate", "message": "pods are forbidden: exceeded quota"}
    assert str(explain(replica_set, [event])) == (
        "FailedCreate: ReplicaSet/web in shop: pods are forbidden: exceeded quota"
    )


def test_nothing_to_explain() -> None:
    live = pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    assert explain(live) is None


def test_which_log_to_fetch() -> None:
    source = log_source(pod(CRASH, phase="Running"))
    assert source is not None and (source.container, source.previous) == ("app", True)
    assert log_source(pod(waits("ImagePullBackOff"))) is None
    not_ready = {"name": "app", "ready": False, "state": {"running": {}}}
    source = log_source(pod(not_ready, phase="Running"))
    assert source is not None and (source.container, source.previous) == ("app", False)
