"""What there is: version, health, discovery in both forms, OpenAPI, and tables."""

from __future__ import annotations

import pytest
from conformance.objects import config_map, deployment, service
from conformance.talk import TABLE, Api, Json, refusal

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList,application/json"
GROUPS = ["apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "policy", "autoscaling"]


def aggregated(api: Api, path: str, version: str = "v2") -> Json:
    found: Json = api.ask("GET", path, headers={"Accept": AGGREGATED.format(version)}).ok()
    return found


def test_version(api: Api) -> None:
    found = api.get("/version").ok()
    assert found["major"] == "1" and found["gitVersion"].startswith(f"v1.{found['minor'].rstrip('+')}.")


@pytest.mark.parametrize("path", ["/readyz", "/livez", "/healthz"])
def test_health(api: Api, path: str) -> None:
    assert (api.get(path).status, api.get(path).body) == (200, "ok")


def test_api_versions(api: Api) -> None:
    found = api.get("/api").ok()
    assert (found["kind"], found["versions"]) == ("APIVersions", ["v1"])


@pytest.mark.parametrize("group", GROUPS)
def test_groups_are_listed_and_described(api: Api, group: str) -> None:
    listed = {g["name"]: g for g in api.get("/apis").ok()["groups"]}
    one = api.get(f"/apis/{group}").ok()
    assert one["kind"] == "APIGroup"
    assert {k: one[k] for k in ("name", "versions", "preferredVersion")} == {
        k: listed[group][k] for k in ("name", "versions", "preferredVersion")
    }


def test_resources_of_the_core(api: Api) -> None:
    found = {r["name"]: r for r in api.get("/api/v1").ok()["resources"]}
    pods = found["pods"]
    assert (pods["kind"], pods["namespaced"], pods["shortNames"], pods["categories"]) == (
        "Pod",
        True,
        ["po"],
        ["all"],
    )
    assert set(pods["verbs"]) == {
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    }
    assert found["namespaces"]["namespaced"] is False
    assert {"pods/log", "pods/eviction", "pods/status", "namespaces/finalize"} <= set(found)


def test_scale_is_of_another_group(api: Api) -> None:
    found = {r["name"]: r for r in api.get("/apis/apps/v1").ok()["resources"]}
    scale = found["deployments/scale"]
    assert (scale["kind"], scale["group"], scale["version"]) == ("Scale", "autoscaling", "v1")


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_aggregated_discovery(api: Api, path: str, version: str) -> None:
    answer = api.ask("GET", path, headers={"Accept": AGGREGATED.format(version)})
    if answer.body["kind"] in ("APIVersions", "APIGroupList"):
        pytest.skip(f"{api.name} does not aggregate in {version}")
    assert (answer.body["kind"], answer.body["apiVersion"]) == (
        "APIGroupDiscoveryList",
        f"apidiscovery.k8s.io/{version}",
    )
    assert f"v={version}" in answer.headers["content-type"]


def test_both_forms_tell_the_same(api: Api) -> None:
    for group in aggregated(api, "/apis")["items"]:
        name = group["metadata"]["name"]
        if name not in GROUPS:
            continue
        for version in group["versions"]:
            legacy = api.get(f"/apis/{name}/{version['version']}").ok()["resources"]
            plain = {(r["name"], r["kind"]) for r in legacy if "/" not in r["name"]}
            assert {(r["resource"], r["responseKind"]["kind"]) for r in version["resources"]} == plain


def test_unchanged_discovery_is_304(api: Api) -> None:
    headers = {"Accept": AGGREGATED.format("v2")}
    tag = api.ask("GET", "/apis", headers=headers).headers["etag"]
    assert api.ask("GET", "/apis", headers={**headers, "If-None-Match": tag}).status == 304


def test_openapi_documents_are_indexed(api: Api) -> None:
    index = api.get("/openapi/v3").ok()["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/batch/v1"} <= set(index)
    assert index["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/apps/v1")


def test_openapi_tells_what_clients_look_for(api: Api) -> None:
    document = api.get("/openapi/v3/apis/apps/v1").ok()
    assert document["openapi"].startswith("3.")
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert "fieldValidation" in {p["name"] for p in patch["parameters"]}
    kind = document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert {"group": "apps", "version": "v1", "kind": "Deployment"} in kind["x-kubernetes-group-version-kind"]


def test_openapi_knows_the_keys_of_lists(api: Api) -> None:
    schemas = api.get("/openapi/v3/api/v1").ok()["components"]["schemas"]
    ports = schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["port", "protocol"]
    assert ports["x-kubernetes-patch-merge-key"] == "port"


@pytest.mark.parametrize("path", ["/api/v9", "/api/v1/nothings", "/apis/apps/v1/nothings"])
def test_unknown_resources_are_404(api: Api, path: str) -> None:
    text = "the server could not find the requested resource"
    assert api.get(path).body == refusal(404, "NotFound", text, {})


def test_unknown_groups_are_404_in_plain_text(api: Api) -> None:
    assert (api.get("/apis/nothing.example.com/v1").status, api.get("/nothing").status) == (404, 404)


def test_who_am_i_and_what_may_i(api: Api) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "namespace": "default"}},
    }
    answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert (answer.status, answer.body["status"]["allowed"]) == (201, True)


# Tables: what `kubectl get` shows.


def table(api: Api, path: str, **query: object) -> Json:
    found: Json = api.ask("GET", path, headers={"Accept": TABLE}, **query).ok()
    assert (found["kind"], found["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    return found


@pytest.mark.parametrize(
    ("path", "body", "columns", "cells"),
    [
        (
            "/api/v1/namespaces/{}/configmaps",
            config_map("a", {"x": "1", "y": "2"}),
            ["Name", "Data", "Age"],
            ["a", 2],
        ),
        (
            "/apis/apps/v1/namespaces/{}/deployments",
            deployment("a", replicas=0),
            ["Name", "Ready", "Up-to-date", "Available", "Age"],
            ["a", "0/0", 0, 0],
        ),
        (
            "/api/v1/namespaces/{}/secrets",
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"x": "1"}},
            ["Name", "Type", "Data", "Age"],
            ["a", "Opaque", 1],
        ),
        (
            "/api/v1/namespaces/{}/services",
            service("a", clusterIP="None"),
            ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"],
            ["a", "ClusterIP", "None", "<none>", "80/TCP"],
        ),
    ],
    ids=["ConfigMap", "Deployment", "Secret", "Service"],
)
def test_tables(api: Api, space: str, path: str, body: Json, columns: list[str], cells: list[object]) -> None:
    path = path.format(space)
    api.post(path, body).ok()
    found = table(api, path, fieldSelector="metadata.name=a")
    assert [c["name"] for c in found["columnDefinitions"] if c["priority"] == 0] == columns
    assert found["rows"][0]["cells"][: len(cells)] == cells


@pytest.mark.parametrize(
    ("include", "kind"), [("Object", "ConfigMap"), ("Metadata", "PartialObjectMetadata"), ("None", None)]
)
def test_rows_carry_what_is_asked_for(api: Api, maps: str, include: str, kind: str | None) -> None:
    api.post(maps, config_map("a", labels={"t": "1"})).ok()
    (row,) = table(api, maps, labelSelector="t=1", includeObject=include)["rows"]
    carried = row.get("object")
    assert (carried or {}).get("kind") == kind


def test_one_object_is_a_table_of_one_row(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    assert [r["cells"][0] for r in table(api, f"{maps}/a")["rows"]] == ["a"]
