"""Dry runs, generated names, generations, and the subresources status and scale."""

from __future__ import annotations

import re

from conformance.objects import config_map, deployment, owners, version
from conformance.talk import Api, cause


def test_a_dry_run_creates_nothing(api: Api, maps: str) -> None:
    answer = api.post(maps, config_map("a", {"x": "1"}), dryRun="All")
    assert (answer.status, answer.body["data"]) == (201, {"x": "1"})
    assert answer.body["metadata"]["uid"] and "resourceVersion" not in answer.body["metadata"]
    assert api.get(f"{maps}/a").status == 404


def test_a_dry_run_changes_nothing(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"})).ok()
    tried = api.patch(f"{maps}/a", {"data": {"x": "2"}}, dryRun="All").ok()
    assert (tried["data"], version(tried)) == ({"x": "2"}, version(made))
    assert api.get(f"{maps}/a").ok() == made


def test_a_dry_run_applies_nothing(api: Api, maps: str) -> None:
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    tried = api.apply(f"{maps}/a", config_map("a", {"y": "1"}), dryRun="All").ok()
    assert tried["data"] == {"y": "1"}
    assert api.get(f"{maps}/a").ok() == made


def test_a_dry_run_deletes_nothing(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    assert api.delete(f"{maps}/a", dryRun="All").ok()["status"] == "Success"
    assert api.delete(f"{maps}/a", {"dryRun": ["All"]}).status == 200
    assert api.get(f"{maps}/a").status == 200


def test_a_dry_run_finds_what_is_wrong(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    assert api.post(maps, config_map("a"), dryRun="All").status == 409
    assert api.post(maps, config_map("Bad_Name"), dryRun="All").status == 422


def test_generated_names_have_five_more_characters(api: Api, maps: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "job-"}}
    made = [api.post(maps, body).ok()["metadata"] for _ in range(2)]
    assert all(re.fullmatch(r"job-[bcdfghjklmnpqrstvwxz2456789]{5}", m["name"]) for m in made)
    assert made[0]["name"] != made[1]["name"] and made[0]["generateName"] == "job-"


def test_a_name_wins_over_a_generated_one(api: Api, maps: str) -> None:
    assert api.post(maps, config_map("mine", generateName="other-")).ok()["metadata"]["name"] == "mine"


def test_long_prefixes_are_cut(api: Api, maps: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x" * 70}}
    assert len(api.post(maps, body).ok()["metadata"]["name"]) == 63


def test_generation_counts_changes_of_the_spec(api: Api, apps: str) -> None:
    path = f"{apps}/deployments/a"
    assert api.post(f"{apps}/deployments", deployment("a", replicas=0)).ok()["metadata"]["generation"] == 1
    assert api.patch(path, {"metadata": {"labels": {"x": "y"}}}).ok()["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"minReadySeconds": 3}}).ok()["metadata"]["generation"] == 2
    assert api.patch(path, {"spec": {"minReadySeconds": 3}}).ok()["metadata"]["generation"] == 2


def test_maps_have_no_generation(api: Api, maps: str) -> None:
    assert "generation" not in api.post(maps, config_map("a")).ok()["metadata"]


def test_a_status_is_not_created_along(api: Api, apps: str) -> None:
    body = {**deployment("a", replicas=0), "status": {"replicas": 9}}
    assert api.post(f"{apps}/deployments", body).ok()["status"] == {}


def test_an_update_leaves_the_status_and_the_status_leaves_the_spec(api: Api, apps: str) -> None:
    path = f"{apps}/deployments/a"
    api.post(f"{apps}/deployments", deployment("a", replicas=0)).ok()
    both = {"spec": {"minReadySeconds": 5}, "status": {"collisionCount": 2}}
    changed = api.patch(path, both).ok()
    assert (changed["spec"]["minReadySeconds"], "collisionCount" in changed["status"]) == (5, False)
    both["spec"]["minReadySeconds"] = 6
    changed = api.patch(f"{path}/status", both, fieldManager="reporter").ok()
    assert (changed["spec"]["minReadySeconds"], changed["status"]["collisionCount"]) == (5, 2)
    assert owners(changed)["reporter", "Update/status"] == {"f:status": {"f:collisionCount": {}}}


def test_scale_is_a_view_of_the_replicas(api: Api, apps: str) -> None:
    api.post(f"{apps}/deployments", deployment("a", replicas=0)).ok()
    scale = api.get(f"{apps}/deployments/a/scale").ok()
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {})
    assert scale["status"] == {"replicas": 0, "selector": "app=a"}


def test_scaling_changes_the_deployment(api: Api, apps: str) -> None:
    api.post(f"{apps}/deployments", deployment("a", replicas=0)).ok()
    scaled = api.patch(f"{apps}/deployments/a/scale", {"spec": {"replicas": 2}}).ok()
    assert scaled["spec"] == {"replicas": 2}
    live = api.get(f"{apps}/deployments/a").ok()
    assert (live["spec"]["replicas"], live["metadata"]["generation"]) == (2, 2)
    assert owners(live)["conformance", "Update/scale"] == {"f:spec": {"f:replicas": {}}}


def test_scaling_below_nothing_is_422(api: Api, apps: str) -> None:
    api.post(f"{apps}/deployments", deployment("a", replicas=0)).ok()
    answer = api.patch(f"{apps}/deployments/a/scale", {"spec": {"replicas": -1}})
    assert (answer.status, answer.body["details"]["causes"]) == (
        422,
        [cause("FieldValueInvalid", "Invalid value: -1: must be greater than or equal to 0", "spec.replicas")],
    )


def test_unknown_subresources_are_404(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    assert api.get(f"{maps}/a/scale").status == 404
