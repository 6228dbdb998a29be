"""Defaults and validation, through the registry of kinds."""

from __future__ import annotations

from typing import Any

import pytest

from sbkube.sandbox.defaults import apply_defaults
from sbkube.sandbox.kinds import Kind, Registry
from sbkube.sandbox.validate import validate

Json = dict[str, Any]


def _kind(api_version: str, kind: str) -> Kind:
    found = Registry().by_kind(api_version, kind)
    assert found is not None
    return found


def _refusals(obj: Json, old: Json | None = None) -> list[str]:
    kind = _kind(obj["apiVersion"], obj["kind"])
    apply_defaults(kind, obj)
    return [str(c) for c in validate(kind, obj, old)]


def _deployment(**spec: Any) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "m", "image": "nginx:1"}]}}
    body = {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": body}


def test_a_good_deployment_passes_and_gets_its_defaults() -> None:
    found = _deployment()
    assert _refusals(found) == []
    assert found["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert found["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_defaults_are_idempotent() -> None:
    kind, found = _kind("apps/v1", "Deployment"), _deployment()
    apply_defaults(kind, found)
    again = {**found, "spec": {**found["spec"]}}
    apply_defaults(kind, again)
    assert again == found


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("host:5000/nginx", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("nginx@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_from_the_tag(image: str, policy: str) -> None:
    found = _deployment()
    found["spec"]["template"]["spec"]["containers"][0]["image"] = image
    apply_defaults(_kind("apps/v1", "Deployment"), found)
    assert found["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_the_selector_of_a_deployment_stays() -> None:
    old, new = _deployment(), _deployment(selector={"matchLabels": {"a": "c"}})
    assert _refusals(new, old) == [
        'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable',
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
    ]


def test_a_job_must_say_when_its_pods_restart() -> None:
    found = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {}}
    assert _refusals(found) == [
        "spec.template.spec.containers: Required value",
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ]


def test_an_immutable_config_map_stays() -> None:
    old = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "immutable": True,
        "data": {"a": "1"},
    }
    new = {**old, "data": {"a": "2"}}
    assert _refusals(new, old) == ["data: Forbidden: field is immutable when `immutable` is set"]


@pytest.mark.parametrize("name", ["Bad_Name", "", "a" * 254, "-a"])
def test_bad_names_are_refused(name: str) -> None:
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    assert [r for r in _refusals(found) if r.startswith("metadata.name")]


def test_an_amount_asked_for_may_not_pass_its_limit() -> None:
    found = _deployment()
    resources = {"limits": {"cpu": "100m"}, "requests": {"cpu": "1"}}
    found["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    assert "must be less than or equal to cpu limit of 100m" in _refusals(found)[0]


def test_a_stateful_set_mounts_the_claims_it_makes() -> None:
    found = _deployment(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}], serviceName="d")
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    found["kind"] = "StatefulSet"
    assert _refusals(found) == []
    container["volumeMounts"][0]["name"] = "other"
    assert [r for r in _refusals(found) if 'Not found: "other"' in r]


def test_counts_are_written_even_when_nothing_was_counted() -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    body = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}, "status": {}}
    apply_defaults(_kind("autoscaling/v2", "HorizontalPodAutoscaler"), body)
    assert body["status"] == {"desiredReplicas": 0, "currentMetrics": None}
