"""Namespaces: the ones that are there, the ones that are not, and how they go."""

from __future__ import annotations

import uuid

import pytest
from conformance.objects import config_map
from conformance.talk import Api, refusal


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_these_are_there(api: Api, name: str) -> None:
    found = api.get(f"/api/v1/namespaces/{name}").ok()
    assert found["status"] == {"phase": "Active"}
    assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == name


def test_a_new_one_is_active_labelled_and_held(api: Api, space: str) -> None:
    found = api.get(f"/api/v1/namespaces/{space}").ok()
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert found["status"] == {"phase": "Active"}
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": space}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_nothing_is_created_in_a_missing_one(api: Api, method: str) -> None:
    name = f"missing-{uuid.uuid4().hex[:8]}"
    path = f"/api/v1/namespaces/{name}/configmaps"
    answer = api.post(path, config_map("a")) if method == "POST" else api.apply(f"{path}/a", config_map("a"))
    assert answer.body == refusal(
        404, "NotFound", f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"}
    )


def test_reading_in_a_missing_one_misses_the_object(api: Api) -> None:
    answer = api.get("/api/v1/namespaces/no-such-namespace/configmaps/a")
    assert (answer.status, answer.message) == (404, 'configmaps "a" not found')


def test_dots_are_not_for_namespaces(api: Api) -> None:
    answer = api.post("/api/v1/namespaces", {"metadata": {"name": "a.b"}})
    assert (answer.status, answer.body["details"]["causes"][0]["field"]) == (422, "metadata.name")


def test_each_gets_an_account_and_the_authority(controllers: Api, space: str) -> None:
    base = f"/api/v1/namespaces/{space}"
    controllers.until(f"{base}/serviceaccounts/default", lambda a: a.status == 200)
    bundle = controllers.until(f"{base}/configmaps/kube-root-ca.crt", lambda a: a.status == 200)
    assert "BEGIN CERTIFICATE" in bundle["data"]["ca.crt"]


def test_a_deleted_one_goes_with_what_is_in_it(controllers: Api, space: str, maps: str) -> None:
    controllers.post(maps, config_map("a")).ok()
    going = controllers.delete(f"/api/v1/namespaces/{space}").ok()
    assert (going["kind"], going["status"]["phase"]) == ("Namespace", "Terminating")
    controllers.gone(f"/api/v1/namespaces/{space}")
    assert controllers.get(f"{maps}/a").status == 404


def test_nothing_new_in_one_that_goes(api: Api, space: str, maps: str) -> None:
    api.post(maps, config_map("holder", finalizers=["example.com/wait"])).ok()
    api.delete(f"/api/v1/namespaces/{space}").ok()
    answer = api.post(maps, config_map("late"))
    assert answer.body == refusal(
        403,
        "Forbidden",
        f'configmaps "late" is forbidden: unable to create new content in namespace {space} because it is being '
        "terminated",
        {
            "name": "late",
            "kind": "configmaps",
            "causes": [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {space} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        },
    )
    api.patch(f"{maps}/holder", {"metadata": {"finalizers": None}}).ok()


def test_finalizers_inside_hold_it(controllers: Api, space: str, maps: str) -> None:
    controllers.post(maps, config_map("holder", finalizers=["example.com/wait"])).ok()
    controllers.delete(f"/api/v1/namespaces/{space}").ok()

    def told(answer: object) -> bool:
        found = answer.body.get("status", {}).get("conditions") or ()  # type: ignore[attr-defined]
        return any(c["type"] == "NamespaceFinalizersRemaining" and c["status"] == "True" for c in found)

    controllers.until(f"/api/v1/namespaces/{space}", told)
    controllers.patch(f"{maps}/holder", {"metadata": {"finalizers": None}}).ok()
    controllers.gone(f"/api/v1/namespaces/{space}")


def test_collections_of_namespaces_cannot_be_deleted(api: Api) -> None:
    assert api.delete("/api/v1/namespaces").status == 405
