"""Server-side apply: who owns what, conflicts, and what goes when its last owner lets go."""

from __future__ import annotations

import json

from conformance.objects import config_map, deployment, key, owners, service, version
from conformance.talk import JSON_PATCH, MERGE, Api, cause, refusal

DATA_X = {"f:data": {"f:x": {}}}


def test_apply_creates_with_201_and_updates_with_200(api: Api, maps: str) -> None:
    assert api.apply(f"{maps}/a", config_map("a", {"x": "1"})).status == 201
    assert api.apply(f"{maps}/a", config_map("a", {"x": "2"})).status == 200


def test_apply_records_what_was_said(api: Api, maps: str) -> None:
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    (entry,) = made["metadata"]["managedFields"]
    assert entry.pop("time")
    assert entry == {
        "manager": "alpha",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": DATA_X,
    }


def test_applying_the_same_again_keeps_version_and_times(api: Api, maps: str) -> None:
    body = config_map("a", {"x": "1"})
    made = api.apply(f"{maps}/a", body).ok()
    assert api.apply(f"{maps}/a", body).ok() == made


def test_apply_wants_a_manager(api: Api, maps: str) -> None:
    answer = api.apply(f"{maps}/a", config_map("a"), manager="")
    assert (answer.status, answer.body["details"]["causes"]) == (
        422,
        [cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")],
    )


def test_force_is_for_apply_alone(api: Api, maps: str) -> None:
    api.post(maps, config_map("a")).ok()
    answer = api.patch(f"{maps}/a", {"data": {"x": "1"}}, MERGE, force="true")
    assert (answer.status, answer.body["details"]["causes"][0]["field"]) == (422, "force")


def test_another_value_is_a_conflict_that_names_the_owner(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    answer = api.apply(f"{maps}/a", config_map("a", {"x": "2"}), manager="beta")
    assert answer.body == refusal(
        409,
        "Conflict",
        'Apply failed with 1 conflict: conflict with "alpha": .data.x',
        {"causes": [cause("FieldManagerConflict", 'conflict with "alpha"', ".data.x")]},
    )


def test_several_conflicts_are_told_together(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1", "y": "1"})).ok()
    answer = api.apply(f"{maps}/a", config_map("a", {"x": "2", "y": "2"}), manager="beta")
    assert answer.message.startswith('Apply failed with 2 conflicts: conflicts with "alpha":\n')
    assert {c["field"] for c in answer.body["details"]["causes"]} == {".data.x", ".data.y"}


def test_the_same_value_is_shared(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    shared = api.apply(f"{maps}/a", config_map("a", {"x": "1"}), manager="beta").ok()
    assert owners(shared) == {("alpha", "Apply"): DATA_X, ("beta", "Apply"): DATA_X}


def test_force_takes_the_field(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1", "y": "1"})).ok()
    taken = api.apply(f"{maps}/a", config_map("a", {"x": "2"}), manager="beta", force="true").ok()
    assert taken["data"] == {"x": "2", "y": "1"}
    assert owners(taken) == {("alpha", "Apply"): {"f:data": {"f:y": {}}}, ("beta", "Apply"): DATA_X}


def test_what_is_left_out_goes(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1", "y": "1"})).ok()
    assert api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()["data"] == {"x": "1"}


def test_what_somebody_else_owns_too_stays(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1", "y": "1"})).ok()
    api.apply(f"{maps}/a", config_map("a", {"y": "1"}), manager="beta").ok()
    left = api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    assert left["data"] == {"x": "1", "y": "1"}
    assert owners(left)["alpha", "Apply"] == DATA_X


def test_applying_nothing_gives_everything_up(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    left = api.apply(f"{maps}/a", config_map("a")).ok()
    assert "data" not in left
    assert ("alpha", "Apply") not in owners(left) or owners(left)["alpha", "Apply"] == {}


def test_an_update_takes_what_it_changes(api: Api, maps: str) -> None:
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1", "y": "1"})).ok()
    made["data"]["x"] = "2"
    changed = api.put(f"{maps}/a", made, fieldManager="editor").ok()
    assert owners(changed) == {("alpha", "Apply"): {"f:data": {"f:y": {}}}, ("editor", "Update"): DATA_X}


def test_applying_over_an_update_is_a_conflict(api: Api, maps: str) -> None:
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    made["data"]["x"] = "2"
    api.put(f"{maps}/a", made, fieldManager="editor").ok()
    answer = api.apply(f"{maps}/a", config_map("a", {"x": "1"}))
    assert answer.status == 409
    # Owners by Update are named with their version and time.
    assert answer.body["details"]["causes"][0]["message"].startswith('conflict with "editor" using v1')


def test_an_update_that_removes_a_field_removes_its_owners(api: Api, maps: str) -> None:
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1", "y": "1"})).ok()
    del made["data"]["x"]
    assert owners(api.put(f"{maps}/a", made, fieldManager="editor").ok())["alpha", "Apply"] == {
        "f:data": {"f:y": {}}
    }


def test_managers_of_one_name_differ_by_operation(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    both = api.patch(f"{maps}/a", {"data": {"y": "1"}}, fieldManager="alpha").ok()
    assert set(owners(both)) == {("alpha", "Apply"), ("alpha", "Update")}


def test_managed_fields_can_be_cleared(api: Api, maps: str) -> None:
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    made["metadata"]["managedFields"] = [{}]
    assert "managedFields" not in api.put(f"{maps}/a", made).ok()["metadata"]


def test_managed_fields_may_not_be_applied(api: Api, maps: str) -> None:
    body = config_map("a", managedFields=[{"manager": "x", "operation": "Apply", "apiVersion": "v1"}])
    assert api.apply(f"{maps}/a", body).body == refusal(400, "BadRequest", "metadata.managedFields must be nil")


def test_a_version_in_the_body_is_a_precondition(api: Api, maps: str) -> None:
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    fresh = api.apply(f"{maps}/a", config_map("a", {"x": "2"}, resourceVersion=version(made)))
    stale = api.apply(f"{maps}/a", config_map("a", {"x": "3"}, resourceVersion=version(made)))
    assert (fresh.status, stale.status, stale.body["reason"]) == (200, 409, "Conflict")


def test_a_uid_of_nothing_is_a_conflict(api: Api, maps: str) -> None:
    answer = api.apply(f"{maps}/a", config_map("a", uid="8d5a3f5e-0000-4000-8000-000000000000"))
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert "uid mismatch" in answer.message


def test_unknown_fields_fail_an_apply_however_it_is_validated(api: Api, maps: str) -> None:
    answer = api.apply(f"{maps}/a", {**config_map("a"), "dota": {}})
    assert answer.status == 500
    assert answer.message.endswith(".dota: field not declared in schema")


def test_kind_and_version_are_wanted(api: Api, maps: str) -> None:
    answer = api.apply(f"{maps}/a", {"metadata": {"name": "a"}})
    assert (answer.status, answer.message) == (400, "invalid object type: /, Kind=")


def test_an_item_of_a_list_map_has_its_own_owners(api: Api, apps: str) -> None:
    path = f"{apps}/deployments/a"
    api.apply(path, deployment("a")).ok()
    sidecar = deployment("a")
    sidecar["spec"] = {
        "template": {"spec": {"containers": [{"name": "side", "image": "registry.example/side:1"}]}}
    }
    both = api.apply(path, sidecar, manager="beta").ok()
    pod = both["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["containers"]] == ["main", "side"]
    owned = owners(both)["beta", "Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert owned == {key(name="side"): {".": {}, "f:name": {}, "f:image": {}}}


def test_an_item_goes_with_its_last_owner(api: Api, apps: str) -> None:
    path = f"{apps}/deployments/a"
    two = deployment("a")
    two["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "registry.example/side:1"})
    api.apply(path, two).ok()
    pod = api.apply(path, deployment("a")).ok()["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["containers"]] == ["main"]


def test_a_co_owned_item_keeps_what_the_other_said(api: Api, apps: str) -> None:
    path = f"{apps}/deployments/a"
    with_env = deployment("a")
    with_env["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    api.apply(path, with_env).ok()
    other = deployment("a")
    other["spec"] = {
        "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}]}]}}
    }
    api.apply(path, other, manager="beta").ok()
    left = api.apply(path, deployment("a")).ok()["spec"]["template"]["spec"]["containers"][0]
    assert left["env"] == [{"name": "B", "value": "2"}]


def test_two_keys_make_one_item(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/services/a"
    body = service(
        "a", ports=[{"name": "t", "port": 53, "protocol": "TCP"}, {"name": "u", "port": 53, "protocol": "UDP"}]
    )
    made = api.apply(path, body).ok()
    assert set(owners(made)["alpha", "Apply"]["f:spec"]["f:ports"]) == {
        key(port=53, protocol="TCP"),
        key(port=53, protocol="UDP"),
    }


def test_atomic_lists_are_owned_whole(api: Api, apps: str) -> None:
    path = f"{apps}/deployments/a"
    body = deployment("a")
    body["spec"]["template"]["spec"]["containers"][0]["args"] = ["one", "two"]
    made = api.apply(path, body).ok()
    container = owners(made)["alpha", "Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"][key(name="main")]
    assert container["f:args"] == {}
    body["spec"]["template"]["spec"]["containers"][0]["args"] = ["two"]
    assert api.apply(path, body, manager="beta").status == 409


def test_sets_are_merged(api: Api, maps: str) -> None:
    api.apply(f"{maps}/a", config_map("a", finalizers=["example.com/one"])).ok()
    both = api.apply(f"{maps}/a", config_map("a", finalizers=["example.com/two"]), manager="beta").ok()
    assert sorted(both["metadata"]["finalizers"]) == ["example.com/one", "example.com/two"]
    left = api.apply(f"{maps}/a", config_map("a")).ok()
    assert left["metadata"]["finalizers"] == ["example.com/two"]
    api.patch(f"{maps}/a", {"metadata": {"finalizers": None}}).ok()


def test_selectors_are_atomic_maps(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/services/a"
    made = api.apply(path, service("a")).ok()
    assert owners(made)["alpha", "Apply"]["f:spec"]["f:selector"] == {}
    replaced = api.apply(path, service("a", selector={"other": "y"})).ok()
    assert replaced["spec"]["selector"] == {"other": "y"}


def test_status_has_owners_of_its_own(api: Api, apps: str) -> None:
    path = f"{apps}/deployments/a"
    api.apply(path, deployment("a", replicas=0)).ok()
    status = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "status": {"collisionCount": 3},
    }
    made = api.apply(f"{path}/status", status, manager="beta").ok()
    assert owners(made)["beta", "Apply/status"] == {"f:status": {"f:collisionCount": {}}}


def test_kubectl_s_earlier_updates_become_its_apply(api: Api, maps: str) -> None:
    """kubectl moves what its client-side apply owned to its server-side apply, which can then give fields up."""
    body = config_map("a", {"x": "1", "y": "1"})
    note = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(body)}
    sent = {**body, "metadata": {"name": "a", "annotations": note}}
    api.post(maps, sent, fieldManager="kubectl-client-side-apply").ok()
    made = api.apply(f"{maps}/a", config_map("a", {"x": "1"}), manager="kubectl").ok()
    assert made["data"] == {"x": "1", "y": "1"}
    moved = api.get(f"{maps}/a").ok()["metadata"]["managedFields"]
    for entry in moved:
        if entry["manager"] == "kubectl-client-side-apply":
            entry.update(manager="kubectl", operation="Apply")
    moved = [e for e in moved if e["fieldsV1"] != {"f:data": {"f:x": {}}}]
    api.patch(f"{maps}/a", [{"op": "replace", "path": "/metadata/managedFields", "value": moved}], JSON_PATCH).ok()
    assert api.apply(f"{maps}/a", config_map("a", {"x": "1"}), manager="kubectl").ok()["data"] == {"x": "1"}


def test_fields_without_an_owner_belong_to_before_first_apply(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1", "y": "1"})).ok()
    made["metadata"]["managedFields"] = [{}]
    api.put(f"{maps}/a", made).ok()
    applied = api.apply(f"{maps}/a", config_map("a", {"x": "1"})).ok()
    assert owners(applied) == {
        ("alpha", "Apply"): DATA_X,
        ("before-first-apply", "Update"): {"f:data": {".": {}, "f:x": {}, "f:y": {}}},
    }


def test_managers_sent_with_a_creation_are_forgotten_on_request(api: Api, maps: str) -> None:
    made = api.post(maps, config_map("a", {"x": "1"}, managedFields=[{}]), fieldManager="maker").ok()
    assert list(owners(made)) == [("maker", "Update")]
