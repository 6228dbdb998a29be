"""Deleted objects as they can be made again."""

from __future__ import annotations

from typing import Any

from sbkube.engine.recreation import recreation, whole

META: dict[str, Any] = {
    "name": "a",
    "namespace": "x",
    "uid": "u-1",
    "resourceVersion": "7",
    "creationTimestamp": "2026-05-01T12:00:00Z",
    "ownerReferences": [{"kind": "Deployment"}],
    "labels": {"mine": "1", "theirs": "2"},
}


def test_identity_status_and_addresses_are_left_out() -> None:
    spec = {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80}]}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": META,
        "spec": spec,
        "status": {"loadBalancer": {}},
    }
    assert whole(service) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "namespace": "x", "labels": META["labels"]},
        "spec": {"ports": [{"port": 80}]},
    }
    headless = {**service, "spec": {**spec, "clusterIP": "None"}}
    assert whole(headless)["spec"]["clusterIP"] == "None"


def test_only_what_we_owned_comes_back() -> None:
    entry = {"manager": "sbkube", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": {"f:mine": {}}}}}
    live = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**META, "managedFields": [entry]},
        "data": {"a": "b"},
    }
    assert recreation(live) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "x", "labels": {"mine": "1"}},
    }
    assert recreation({**live, "metadata": META})["data"] == {"a": "b"}


def test_a_job_is_untied_from_its_pods() -> None:
    labels = {"app": "j", "controller-uid": "u-1", "batch.kubernetes.io/job-name": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": []}}
    spec = {"selector": {"matchLabels": {"controller-uid": "u-1"}}, "template": template}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": META, "spec": spec}
    made = whole(job)["spec"]
    assert "selector" not in made and made["template"]["metadata"]["labels"] == {"app": "j"}
    by_hand = whole({**job, "spec": {**spec, "manualSelector": True}})["spec"]
    assert by_hand["selector"] == spec["selector"]
