"""The scale subresource: values, owners, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sbkube.sandbox.access import Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.routing import Target
from sbkube.sandbox.scale import scale
from sbkube.sandbox.status import StatusError

Json = dict[str, Any]
Find = Callable[[str, str], Kind]
POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}}


@pytest.fixture
def target(api: Api, kind: Find) -> Target:
    apps = kind("apps/v1", "Deployment")
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": POD}
    api.create(apps, "default", {"metadata": {"name": "d"}, "spec": spec}, Options("author"))
    return Target(apps, "default", "d", "scale")


def write(api: Api, target: Target, how: str, body: Any, manager: str = "scaler", force: bool = False) -> Json:
    return scale(api, target, "patch", how, body, Options(manager, force=force))


def owner_of_replicas(api: Api, target: Target) -> list[tuple[str, str]]:
    entries = api.get(target.kind, target.namespace, target.name)["metadata"]["managedFields"]
    found = [e for e in entries if "f:replicas" in e["fieldsV1"].get("f:spec", {})]
    return [(e["manager"], e.get("subresource", "")) for e in found]


def test_reading(api: Api, target: Target) -> None:
    found = scale(api, target, "get", "", None, Options())
    assert found["spec"] == {"replicas": 2}
    assert found["status"]["selector"] == "a=b"


@pytest.mark.parametrize(
    ("how", "body"),
    [
        ("merge", {"spec": {"replicas": 3}}),
        ("json", [{"op": "replace", "path": "/spec/replicas", "value": 3}]),
        (
            "",
            {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 3}},
        ),
    ],
)
def test_writing_takes_the_ownership(api: Api, target: Target, how: str, body: Any) -> None:
    assert write(api, target, how, body)["spec"] == {"replicas": 3}
    found = api.get(target.kind, "default", "d")
    assert found["spec"]["replicas"] == 3
    assert found["metadata"]["generation"] == 2
    assert owner_of_replicas(api, target) == [("scaler", "scale")]


def test_applying_meets_other_owners(api: Api, target: Target) -> None:
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 4}}
    with pytest.raises(StatusError) as caught:
        write(api, target, "apply", body)
    assert caught.value.code == 409
    assert write(api, target, "apply", body, force=True)["spec"] == {"replicas": 4}
    assert owner_of_replicas(api, target) == [("scaler", "scale")]


def test_refusals(api: Api, target: Target) -> None:
    for how, body, text in (
        (
            "merge",
            {"spec": {"replicas": -1}},
            'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1',
        ),
        ("merge", {"spec": {"replicas": "x"}}, "cannot unmarshal string into Go struct field ScaleSpec"),
        ("merge", {"metadata": {"resourceVersion": "1"}}, "the object has been modified"),
    ):
        with pytest.raises(StatusError) as caught:
            write(api, target, how, body)
        assert text in caught.value.message


def test_custom_resources_name_their_paths(api: Api, kind: Find) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    paths = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.size",
        "labelSelectorPath": ".status.who",
    }
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}, "scale": paths}}
    spec = {"group": "example.com", "scope": "Namespaced", "names": {"plural": "gadgets", "kind": "Gadget"},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}]}  # fmt: skip
    definition = {"metadata": {"name": "gadgets.example.com"}, "spec": spec}
    api.create(kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", definition)
    gadgets = kind("example.com/v1", "Gadget")
    api.create(gadgets, "default", {"metadata": {"name": "g"}, "spec": {"size": 2}})
    target = Target(gadgets, "default", "g", "scale")
    write(api, target, "merge", {"spec": {"replicas": 5}})
    api.patch(gadgets, "default", "g", "merge", {"status": {"size": 4, "who": "a=b"}}, Options("m"), "status")
    found = scale(api, target, "get", "", None, Options())
    assert (found["spec"], found["status"]) == ({"replicas": 5}, {"replicas": 4, "selector": "a=b"})
    with pytest.raises(StatusError, match="should be a non-negative integer"):
        write(api, target, "merge", {"spec": {"replicas": -1}})
