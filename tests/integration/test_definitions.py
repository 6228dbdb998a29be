"""CRDs of charts are upgraded, and never over the heads of the objects that exist."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import yaml
from integration.conftest import Bench

from sbkube.edges.cluster import HttpCluster
from sbkube.models.resource import ResourceKey


@pytest.fixture
def group() -> str:
    return f"g{uuid.uuid4().hex[:8]}.example.com"


def definition(group: str, **spec: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", **spec}}}
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def test_crds_of_a_chart(bench: Bench, api_server: HttpCluster, group: str) -> None:
    chart = bench.chart("ops", {"c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ops}\n"})
    properties = {"size": {"type": "integer"}}
    bench.write("charts/ops/crds/gadget.yaml", definition(group, properties=properties))
    bench.project({"ops": {"type": "helm", "chart": chart}})
    bench.ok("apply", "-y")
    key = ResourceKey("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", f"gadgets.{group}")

    bench.write("charts/ops/crds/gadget.yaml", definition(group, properties=properties, required=["size"]))
    bench.ok("apply", "-y")
    live = api_server.get(key)
    assert live is not None
    schema = live["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert schema["required"] == ["size"], "without objects nothing can break"

    body = {
        "apiVersion": f"{group}/v1",
        "kind": "Gadget",
        "metadata": {"name": "g", "namespace": bench.namespace},
        "spec": {"size": 1},
    }
    api_server.create(body, manager="somebody")
    harder = definition(
        group, properties={**properties, "colour": {"type": "string"}}, required=["size", "colour"]
    )
    bench.write("charts/ops/crds/gadget.yaml", harder)
    ran = bench.sbkube("apply", "-y")
    assert ran.code == 3
    assert "there are objects of this kind, and spec.colour would be required in version v1" in ran.err
    assert "sbkube.dev/unsafe-crd-upgrade: allow" in ran.err
    harder["metadata"]["annotations"] = {"sbkube.dev/unsafe-crd-upgrade": "allow"}
    bench.write("charts/ops/crds/gadget.yaml", yaml.safe_dump(harder))
    bench.ok("apply", "-y")
