"""Deletion: finalizers, preconditions, and what happens to dependents."""

from __future__ import annotations

import pytest
from conformance.objects import config_map, deployment, owned, version
from conformance.talk import Api

FINALIZER = "example.com/wait"


def test_finalizers_hold_the_object(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", finalizers=[FINALIZER])).ok()
    held = api.delete(f"{maps}/a").ok()
    assert (held["kind"], held["metadata"]["deletionGracePeriodSeconds"]) == ("ConfigMap", 0)
    assert held["metadata"]["deletionTimestamp"]
    api.patch(f"{maps}/a", {"metadata": {"finalizers": None}}).ok()
    assert api.get(f"{maps}/a").status == 404


def test_deleting_again_changes_nothing(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", finalizers=[FINALIZER])).ok()
    first = api.delete(f"{maps}/a").ok()
    again = api.delete(f"{maps}/a").ok()
    assert again["metadata"]["deletionTimestamp"] == first["metadata"]["deletionTimestamp"]
    api.patch(f"{maps}/a", {"metadata": {"finalizers": None}}).ok()


def test_no_finalizers_are_added_once_it_is_going(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", finalizers=[FINALIZER])).ok()
    api.delete(f"{maps}/a").ok()
    answer = api.patch(f"{maps}/a", {"metadata": {"finalizers": [FINALIZER, "example.com/more"]}})
    assert (answer.status, answer.body["details"]["causes"][0]["field"]) == (422, "metadata.finalizers")
    assert "no new finalizers can be added if the object is being deleted" in answer.message
    api.patch(f"{maps}/a", {"metadata": {"finalizers": None}}).ok()


def test_creating_what_is_still_going_is_409(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", finalizers=[FINALIZER])).ok()
    api.delete(f"{maps}/a").ok()
    answer = api.post(maps, config_map("a"))
    assert (answer.status, answer.message) == (409, 'object is being deleted: configmaps "a" already exists')
    api.patch(f"{maps}/a", {"metadata": {"finalizers": None}}).ok()


def test_another_uid_is_a_conflict(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a")).ok()
    wrong = "8d5a3f5e-0000-4000-8000-000000000000"
    answer = api.delete(f"{maps}/a", {"preconditions": {"uid": wrong}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert f"the UID in the precondition ({wrong}) does not match the UID in record" in answer.message
    assert api.delete(f"{maps}/a", {"preconditions": {"uid": made["metadata"]["uid"]}}).status == 200


def test_another_version_is_a_conflict(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a")).ok()
    api.patch(f"{maps}/a", {"data": {"x": "1"}}).ok()
    stale = {"preconditions": {"resourceVersion": version(made)}}
    assert api.delete(f"{maps}/a", stale).status == 409
    assert api.get(f"{maps}/a").status == 200


@pytest.mark.parametrize("body", [{"propagationPolicy": "Sometimes"}, {"dryRun": ["Some"]}], ids=str)
def test_unknown_delete_options_are_422(api: Api, maps: str, body: dict[str, object]) -> None:
    api.post(maps, config_map("a")).ok()
    answer = api.delete(f"{maps}/a", body)
    assert (answer.status, answer.body["details"]["kind"]) == (422, "DeleteOptions")


def test_foreground_marks_the_owner_first(api: Api, maps: str) -> None:
    api.post(maps, config_map("a", finalizers=[FINALIZER])).ok()
    held = api.delete(f"{maps}/a", {"propagationPolicy": "Foreground"}).ok()
    assert set(held["metadata"]["finalizers"]) == {FINALIZER, "foregroundDeletion"}
    api.patch(f"{maps}/a", {"metadata": {"finalizers": None}}).ok()


def test_background_takes_dependents_along(controllers: Api, maps: str) -> None:
    owner = controllers.post(maps, config_map("owner")).ok()
    controllers.post(maps, owned("child", owner)).ok()
    controllers.delete(f"{maps}/owner", {"propagationPolicy": "Background"}).ok()
    controllers.gone(f"{maps}/child")


def test_foreground_waits_for_dependents(controllers: Api, maps: str) -> None:
    owner = controllers.post(maps, config_map("owner")).ok()
    child = owned("child", owner, block=True)
    child["metadata"]["finalizers"] = [FINALIZER]
    controllers.post(maps, child).ok()
    controllers.delete(f"{maps}/owner", {"propagationPolicy": "Foreground"}).ok()
    controllers.until(f"{maps}/child", lambda a: "deletionTimestamp" in a.body.get("metadata", {}))
    assert controllers.get(f"{maps}/owner").ok()["metadata"]["finalizers"] == ["foregroundDeletion"]
    controllers.patch(f"{maps}/child", {"metadata": {"finalizers": None}}).ok()
    controllers.gone(f"{maps}/owner")


def test_orphans_stay_without_their_owner(controllers: Api, maps: str) -> None:
    owner = controllers.post(maps, config_map("owner")).ok()
    controllers.post(maps, owned("child", owner)).ok()
    controllers.delete(f"{maps}/owner", {"propagationPolicy": "Orphan"}).ok()
    controllers.gone(f"{maps}/owner")
    assert "ownerReferences" not in controllers.get(f"{maps}/child").ok()["metadata"]


def test_what_belongs_to_nobody_goes(controllers: Api, maps: str) -> None:
    owner = controllers.post(maps, config_map("owner")).ok()
    controllers.delete(f"{maps}/owner").ok()
    controllers.post(maps, owned("late", owner)).ok()
    controllers.gone(f"{maps}/late")


def test_one_of_two_owners_is_enough_to_stay(controllers: Api, maps: str) -> None:
    first, second = (controllers.post(maps, config_map(n)).ok() for n in ("first", "second"))
    child = owned("child", first)
    child["metadata"]["ownerReferences"] += owned("x", second)["metadata"]["ownerReferences"]
    controllers.post(maps, child).ok()
    controllers.delete(f"{maps}/first").ok()
    left = controllers.until(
        f"{maps}/child", lambda a: a.status == 404 or len(a.body["metadata"].get("ownerReferences", ())) == 1
    )
    assert [r["name"] for r in left["metadata"]["ownerReferences"]] == ["second"]


def test_a_deployment_takes_its_replica_sets_along(controllers: Api, apps: str) -> None:
    controllers.post(f"{apps}/deployments", deployment("web", replicas=0)).ok()
    controllers.until(f"{apps}/replicasets", lambda a: len(a.body["items"]) == 1)
    controllers.delete(f"{apps}/deployments/web", {"propagationPolicy": "Background"}).ok()
    controllers.until(f"{apps}/replicasets", lambda a: a.body["items"] == [])
