"""CustomResourceDefinitions: served at once, validated, pruned, defaulted, merged, and gone with their objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformance.objects import key, owners, version
from conformance.talk import MERGE, TABLE, Api, Json, cause, refusal

Define = Callable[..., str]
SPEC: Json = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8},
        "replicas": {"type": "integer", "default": 1},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "either": {"x-kubernetes-int-or-string": True},
    },
}
SCHEMA: Json = {
    "spec": SPEC,
    "status": {"type": "object", "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}}},
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Widgets:
    """The widgets of one definition."""

    def __init__(self, group: str, space: str) -> None:
        self.group = group
        self.path = f"/apis/{group}/v1/namespaces/{space}/widgets"

    def of(self, **spec: Any) -> Json:
        return {
            "apiVersion": f"{self.group}/v1",
            "kind": "Widget",
            "metadata": {"name": "w"},
            "spec": {"size": 1, **spec},
        }


@pytest.fixture
def widgets(define: Define, space: str) -> Widgets:
    return Widgets(define(SCHEMA), space)


@pytest.fixture
def parted(define: Define, space: str) -> Widgets:
    """With the subresources status and scale."""
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    return Widgets(define(SCHEMA, subresources={"status": {}, "scale": scale}), space)


def test_a_definition_is_established_and_its_names_accepted(api: Api, widgets: Widgets) -> None:
    found = api.get(f"{DEFINITIONS}/widgets.{widgets.group}").ok()["status"]
    held = {c["type"] for c in found["conditions"] if c["status"] == "True"}
    assert {"NamesAccepted", "Established"} <= held
    assert found["acceptedNames"]["listKind"] == "WidgetList"
    assert found["storedVersions"] == ["v1"]


def test_its_kind_is_in_discovery_and_openapi(api: Api, widgets: Widgets) -> None:
    (resource,) = api.get(f"/apis/{widgets.group}/v1").ok()["resources"]
    assert (resource["name"], resource["kind"], resource["namespaced"], resource["shortNames"]) == (
        "widgets",
        "Widget",
        True,
        ["wd"],
    )
    path = f"apis/{widgets.group}/v1"
    api.until("/openapi/v3", lambda a: path in a.body["paths"])
    assert "Widget" in str(api.get(f"/openapi/v3/{path}").ok()["components"]["schemas"])


def test_defaults_and_generation(api: Api, widgets: Widgets) -> None:
    made = api.post(widgets.path, widgets.of()).ok()
    assert made["spec"] == {"size": 1, "colour": "red", "replicas": 1}
    assert made["metadata"]["generation"] == 1
    changed = api.patch(f"{widgets.path}/w", {"spec": {"size": 2}}).ok()
    assert changed["metadata"]["generation"] == 2
    assert api.patch(f"{widgets.path}/w", {"metadata": {"labels": {"a": "b"}}}).ok()["metadata"]["generation"] == 2


def test_unknown_fields_are_pruned(api: Api, widgets: Widgets) -> None:
    answer = api.post(widgets.path, {**widgets.of(zzz=1, free={"any": {"thing": 1}}), "more": 1})
    assert answer.ok()["spec"] == {"size": 1, "colour": "red", "replicas": 1, "free": {"any": {"thing": 1}}}
    assert "more" not in answer.body
    assert sorted(answer.warnings) == ['unknown field "more"', 'unknown field "spec.zzz"']


def test_unknown_fields_are_refused_when_asked(api: Api, widgets: Widgets) -> None:
    assert api.post(widgets.path, widgets.of(zzz=1), fieldValidation="Strict").body == refusal(
        400,
        "BadRequest",
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.zzz"',
    )


@pytest.mark.parametrize(
    ("spec", "reason", "where", "text"),
    [
        ({"size": None}, "FieldValueRequired", "spec.size", "Required value"),
        (
            {"size": "x"},
            "FieldValueTypeInvalid",
            "spec.size",
            'Invalid value: "string": spec.size in body must be of type integer: "string"',
        ),
        (
            {"size": 11},
            "FieldValueInvalid",
            "spec.size",
            "Invalid value: 11: spec.size in body should be less than or equal to 10",
        ),
        (
            {"size": 0},
            "FieldValueInvalid",
            "spec.size",
            "Invalid value: 0: spec.size in body should be greater than or equal to 1",
        ),
        (
            {"colour": "green"},
            "FieldValueNotSupported",
            "spec.colour",
            'Unsupported value: "green": supported values: "red", "blue"',
        ),
        (
            {"name": "A1"},
            "FieldValueInvalid",
            "spec.name",
            "Invalid value: \"A1\": spec.name in body should match '^[a-z]+$'",
        ),
        ({"name": "abcdefghi"}, "FieldValueTooLong", "spec.name", "Too long: may not be more than 8 bytes"),
        ({"tags": ["x", "x"]}, "FieldValueDuplicate", "spec.tags[1]", 'Duplicate value: "x"'),
        (
            {"parts": [{"name": "x"}, {"name": "x"}]},
            "FieldValueDuplicate",
            "spec.parts[1]",
            'Duplicate value: {"name":"x"}',
        ),
        ({"parts": [{"value": "x"}]}, "FieldValueRequired", "spec.parts[0].name", "Required value"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_the_schema_is_enforced(
    api: Api, widgets: Widgets, spec: Json, reason: str, where: str, text: str
) -> None:
    body = widgets.of(**spec)
    if spec.get("size", 1) is None:
        del body["spec"]["size"]
    assert api.post(widgets.path, body).body == refusal(
        422,
        "Invalid",
        f'Widget.{widgets.group} "w" is invalid: {where}: {text}',
        {"name": "w", "group": widgets.group, "kind": "Widget", "causes": [cause(reason, text, where)]},
    )


@pytest.mark.parametrize("value", [5, "50%"])
def test_numbers_or_texts(api: Api, widgets: Widgets, value: object) -> None:
    assert api.post(widgets.path, widgets.of(either=value)).ok()["spec"]["either"] == value


def test_updates_need_a_version(api: Api, widgets: Widgets) -> None:
    api.post(widgets.path, widgets.of()).ok()
    answer = api.put(f"{widgets.path}/w", widgets.of())
    text = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert (answer.status, answer.message) == (422, f'widgets.{widgets.group} "w" is invalid: {text}')


def test_applied_items_are_merged_by_key(api: Api, widgets: Widgets) -> None:
    path = f"{widgets.path}/w"
    api.apply(path, widgets.of(parts=[{"name": "a", "value": "1"}], tags=["x"])).ok()
    other = {**widgets.of(), "spec": {"parts": [{"name": "b"}], "tags": ["y"]}}
    both = api.apply(path, other, manager="beta").ok()
    assert [p["name"] for p in both["spec"]["parts"]] == ["a", "b"]
    assert both["spec"]["tags"] == ["x", "y"]
    assert owners(both)["beta", "Apply"]["f:spec"] == {
        "f:parts": {key(name="b"): {".": {}, "f:name": {}}},
        "f:tags": {'v:"y"': {}},
    }
    left = api.apply(path, widgets.of()).ok()
    assert ([p["name"] for p in left["spec"]["parts"]], left["spec"]["tags"]) == (["b"], ["y"])


def test_applying_twice_changes_nothing(api: Api, widgets: Widgets) -> None:
    made = api.apply(f"{widgets.path}/w", widgets.of(size=3)).ok()
    assert version(api.apply(f"{widgets.path}/w", widgets.of(size=3)).ok()) == version(made)


def test_without_a_status_subresource_the_status_is_data(api: Api, widgets: Widgets) -> None:
    body = {**widgets.of(), "status": {"phase": "x"}}
    assert api.post(widgets.path, body).ok()["status"] == {"phase": "x"}
    assert api.get(f"{widgets.path}/w/status").status == 404


def test_the_status_subresource_parts_spec_and_status(api: Api, parted: Widgets) -> None:
    made = api.post(parted.path, {**parted.of(), "status": {"phase": "x"}}).ok()
    assert "status" not in made
    both = {"spec": {"size": 9}, "status": {"phase": "good"}}
    changed = api.patch(f"{parted.path}/w/status", both, MERGE).ok()
    assert (changed["spec"]["size"], changed["status"], changed["metadata"]["generation"]) == (
        1,
        {"phase": "good"},
        1,
    )


def test_the_scale_subresource_follows_its_paths(api: Api, parted: Widgets) -> None:
    api.post(parted.path, parted.of(replicas=2)).ok()
    assert api.get(f"{parted.path}/w/scale").ok()["spec"] == {"replicas": 2}
    api.patch(f"{parted.path}/w/scale", {"spec": {"replicas": 5}}, MERGE).ok()
    assert api.get(f"{parted.path}/w").ok()["spec"]["replicas"] == 5


def test_a_changed_schema_holds_at_once(api: Api, widgets: Widgets) -> None:
    path = f"{DEFINITIONS}/widgets.{widgets.group}"
    found = api.get(path).ok()
    properties = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"]["properties"]["later"] = {"type": "string"}
    api.put(path, found).ok()

    def kept() -> bool:
        made = api.post(widgets.path, widgets.of(later="x"), dryRun="All").ok()
        return bool(made["spec"].get("later") == "x")

    api.until(path, lambda _: kept(), "the new field is kept")


def test_printer_columns_make_a_table(api: Api, define: Define, space: str) -> None:
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    found = Widgets(define(SCHEMA, additionalPrinterColumns=columns), space)
    api.post(found.path, found.of(size=4)).ok()
    table = api.ask("GET", found.path, headers={"Accept": TABLE}).ok()
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["w", 4]


def test_cluster_scoped_kinds(api: Api, define: Define) -> None:
    group = define(SCHEMA, scope="Cluster")
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    made = api.post(f"/apis/{group}/v1/widgets", body).ok()
    assert "namespace" not in made["metadata"]
    assert api.get(f"/apis/{group}/v1/namespaces/default/widgets").status == 404


def test_a_name_must_be_plural_and_group(api: Api) -> None:
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "other.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    answer = api.post(DEFINITIONS, body)
    text = 'Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group'
    assert answer.status == 422
    assert cause("FieldValueInvalid", text, "metadata.name") in answer.body["details"]["causes"]


def test_deleting_a_definition_deletes_its_objects(api: Api, widgets: Widgets) -> None:
    api.post(widgets.path, widgets.of()).ok()
    api.delete(f"{DEFINITIONS}/widgets.{widgets.group}").ok()
    api.gone(f"{DEFINITIONS}/widgets.{widgets.group}")
    api.gone(widgets.path)
