"""Dry runs without what a server makes up."""

from __future__ import annotations

from sbkube.plan.answers import settled


def test_identity_times_and_assigned_addresses_go_and_what_was_asked_for_stays() -> None:
    ports = [{"port": 80, "nodePort": 30001}, {"port": 81}]
    desired = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}}
    after = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "uid": "u", "creationTimestamp": "t", "managedFields": []},
        "spec": {
            "clusterIP": "10.0.0.1",
            "clusterIPs": ["10.0.0.1"],
            "ports": [{"port": 80, "nodePort": 30001}, {"port": 81, "nodePort": 31234}],
        },
        "status": {},
    }
    assert settled(after, desired) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"ports": [{"port": 80, "nodePort": 30001}, {"port": 81}]},
    }
    asked = {**desired, "spec": {"clusterIP": "10.0.0.1", **desired["spec"]}}  # type: ignore[dict-item]
    assert settled(after, asked)["spec"]["clusterIP"] == "10.0.0.1"


def test_a_jobs_generated_selector_and_labels_go() -> None:
    labels = {"batch.kubernetes.io/controller-uid": "u", "controller-uid": "u", "mine": "1"}
    after = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"selector": {"matchLabels": {"x": "u"}}, "template": {"metadata": {"labels": labels}}},
    }
    spec = settled(after, {"kind": "Job"})["spec"]
    assert spec == {"template": {"metadata": {"labels": {"mine": "1"}}}}
