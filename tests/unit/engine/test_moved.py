"""What others have made of an object since we left it."""

from __future__ import annotations

from typing import Any

from sbkube.engine.moved import fields_moved, marked, why_moved
from sbkube.models.plan import Cause, FieldChange
from sbkube.models.resource import ResourceKey

KEY = ResourceKey("apps", "v1", "Deployment", "x", "web")
OURS = {"manager": "sbkube", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}}}


def live(replicas: int, manager: str = "sbkube", uid: str = "u-1", **more: Any) -> dict[str, Any]:
    entries = [OURS]
    if manager != "sbkube":
        theirs = {"f:spec": {"f:replicas": {}}}
        entries = [
            {**OURS, "fieldsV1": {"f:spec": {"f:paused": {}}}},
            {"manager": manager, "operation": "Update", "fieldsV1": theirs, "time": "2026-05-01T12:00:00Z"},
        ]
    meta = {
        "name": "web",
        "namespace": "x",
        "uid": uid,
        "managedFields": entries,
        "creationTimestamp": "2026-05-01",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": replicas, **more},
    }


def test_an_edit_is_named_with_its_manager_and_time_and_without_values() -> None:
    problem = why_moved(KEY, live(3), live(7, "kubectl-edit"), "sbkube")
    assert problem is not None
    assert "spec.replicas by kubectl-edit at 2026-05-01T12:00:00Z" in problem.message
    assert "7" not in problem.message.replace("2026-05-01T12:00:00Z", "") and "--force" in str(problem.hint)


def test_what_we_never_set_and_what_an_autoscaler_sets_is_no_matter() -> None:
    assert fields_moved(live(3), live(3, other="x"), "sbkube") == ()
    assert fields_moved(live(3), live(7, "kube-controller-manager"), "sbkube") == ()
    assert why_moved(KEY, live(3), live(3), "sbkube") is None


def test_gone_come_again_and_replaced() -> None:
    assert why_moved(KEY, None, None, "sbkube") is None
    for left, now, word in (
        (live(3), None, "deleted by somebody"),
        (None, live(3), "exists again"),
        (live(3), live(3, uid="u-2"), "replaced"),
    ):
        problem = why_moved(KEY, left, now, "sbkube")
        assert problem is not None and word in problem.message


def test_what_takes_back_what_others_did_is_drift() -> None:
    fields = (FieldChange("spec.replicas", 7, 3), FieldChange("spec.paused", True, None))
    found = marked(fields, [FieldChange("spec.replicas", 3, 7)])
    assert [change.cause for change in found] == [Cause.DRIFT, Cause.OURS]
