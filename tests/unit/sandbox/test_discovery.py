"""Discovery and OpenAPI tell the same of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from sbkube.sandbox import discovery, openapi
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]


def define(api: Api, kind: Callable[[str, str], Kind]) -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "example.com", "scope": "Namespaced", "names": {"plural": "gadgets", "kind": "Gadget"},
            "versions": [version]}  # fmt: skip
    definition = {"metadata": {"name": "gadgets.example.com"}, "spec": spec}
    api.create(kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", definition)


def test_both_forms_of_discovery_agree(api: Api, kind: Callable[[str, str], Kind]) -> None:
    define(api, kind)
    registry = api.registry
    for core in (True, False):
        for item in discovery.aggregated(registry, core, "v2")["items"]:
            group = item["metadata"].get("name", "")
            for version in item["versions"]:
                legacy = discovery.resource_list(registry, group, version["version"])["resources"]
                plain = {r["name"]: (r["kind"], r["verbs"]) for r in legacy if "/" not in r["name"]}
                found = {r["resource"]: (r["responseKind"]["kind"], r["verbs"]) for r in version["resources"]}
                assert found == plain


def test_a_definition_changes_only_its_own_document(api: Api, kind: Callable[[str, str], Kind]) -> None:
    before = openapi.index(api.registry)["paths"]
    define(api, kind)
    after = openapi.index(api.registry)["paths"]
    assert set(after) - set(before) == {"apis/example.com/v1"}
    assert {p: after[p] for p in before} == before


def test_documents_name_their_kinds_and_resolve_their_references(
    api: Api, kind: Callable[[str, str], Kind]
) -> None:
    define(api, kind)
    for group, version in (("", "v1"), ("apps", "v1"), ("example.com", "v1")):
        state = openapi.fingerprint(api.registry, group, version)
        raw = openapi.encoded(api.registry, group, version, state)
        document = orjson.loads(raw)
        schemas = document["components"]["schemas"]
        kinds = {g["kind"] for s in schemas.values() for g in s.get("x-kubernetes-group-version-kind", ())}
        served = {k.kind for k in discovery.kinds_of(api.registry, group, version)}
        assert served - {"ComponentStatus", "Binding"} <= kinds
        references = {part.split('"')[0] for part in raw.decode().split("#/components/schemas/")[1:]}
        assert references <= set(schemas)
        for path in document["paths"].values():
            for operation in path.values():
                assert operation["x-kubernetes-group-version-kind"]["kind"] in served


def test_a_definition_that_goes_takes_its_paths_along(api: Api, kind: Callable[[str, str], Kind]) -> None:
    define(api, kind)
    definitions = kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    api.store.drop(definitions.store_key, "", "gadgets.example.com")
    assert "example.com" not in discovery.groups(api.registry)
