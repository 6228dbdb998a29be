"""Upgrades of CustomResourceDefinitions that would break what is there."""

from __future__ import annotations

from typing import Any

import pytest

from sbkube.plan.definitions import ALLOW, ANNOTATION, hazards


def definition(schema: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema or {}}}
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "versions": [version], **changes},
        "status": {"storedVersions": ["v1"]},
    }


def spec(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", **properties}}}


def test_the_same_and_more_are_safe() -> None:
    v2 = {"name": "v2", "served": True}
    more = definition(spec(properties={"new": {"type": "object", "required": ["x"]}}))
    more["spec"]["versions"].append(v2)
    assert hazards(definition(), definition()) == []
    assert hazards(definition(), more) == []


def test_scope_and_versions() -> None:
    v2 = {"name": "v2", "served": True, "storage": True}
    assert hazards(definition(), definition(scope="Cluster")) == [
        "its scope would change from Namespaced to Cluster"
    ]
    assert hazards(definition(), definition(versions=[v2])) == [
        "version v1 would go, and objects are stored in it"
    ]
    quiet = {"name": "v1", "served": False, "storage": False}
    assert hazards(definition(), definition(versions=[quiet, v2])) == ["version v1 would no longer be served"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ({}, {"required": ["size"]}, ["spec.size would be required in version v1"]),
        ({}, {"required": ["size"], "properties": {"size": {"default": 1}}}, []),
        ({"required": ["size"]}, {"required": ["size"]}, []),
        (
            {"properties": {"parts": {"items": {}}}},
            {"properties": {"parts": {"items": {"required": ["name"]}}}},
            ["spec.parts[*].name would be required in version v1"],
        ),
    ],
)
def test_newly_required_fields(old: dict[str, Any], new: dict[str, Any], says: list[str]) -> None:
    assert hazards(definition(spec(**old)), definition(spec(**new))) == says


def test_who_allows_it_gets_it() -> None:
    allowed = definition(scope="Cluster")
    allowed["metadata"]["annotations"] = {ANNOTATION: ALLOW}
    assert hazards(definition(), allowed) == []
