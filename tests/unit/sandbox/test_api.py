"""The verbs on plain objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sbkube.sandbox.access import Deletion, Options
from sbkube.sandbox.api import Api
from sbkube.sandbox.kinds import Kind
from sbkube.sandbox.status import StatusError

Json = dict[str, Any]
Find = Callable[[str, str], Kind]
POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}}
DEPLOYMENT = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": POD}}


def config(data: Json | None = None, **metadata: Any) -> Json:
    out: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}}
    return out | ({"data": data} if data is not None else {})


def refusal(call: Callable[[], object]) -> StatusError:
    with pytest.raises(StatusError) as caught:
        call()
    return caught.value


def owners(obj: Json) -> dict[tuple[str, str, str], Json]:
    entries = obj["metadata"].get("managedFields", [])
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in entries}


def test_dry_runs_leave_nothing(api: Api, kind: Find) -> None:
    maps, before = kind("v1", "ConfigMap"), api.store.rv
    api.create(maps, "default", config({"a": "1"}), Options("m", dry_run=True))
    assert api.find(maps, "default", "c") is None
    api.patch(maps, "default", "c", "apply", config({"a": "1"}), Options("m", dry_run=True))
    assert api.store.rv == before
    api.create(maps, "default", config({"a": "1"}))
    api.delete(maps, "default", "c", Deletion(dry_run=True))
    assert api.get(maps, "default", "c")["data"] == {"a": "1"}


def test_an_apply_that_changes_nothing_keeps_the_version(api: Api, kind: Find) -> None:
    maps = kind("v1", "ConfigMap")
    made, created = api.patch(maps, "default", "c", "apply", config({"a": "1"}), Options("m"))
    again, twice = api.patch(maps, "default", "c", "apply", config({"a": "1"}), Options("m"))
    assert created
    assert not twice
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_later_write_that_changes_only_the_time_keeps_the_version(
    api: Api, kind: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployments = kind("apps/v1", "Deployment")
    body = {"apiVersion": "apps/v1", "kind": "Deployment", **DEPLOYMENT}
    made, _ = api.patch(deployments, "default", "d", "apply", body, Options("m"))
    monkeypatch.setattr("sbkube.sandbox.fields.now", lambda: "2099-01-01T00:00:00Z")
    body["metadata"] = {"name": "d", "generation": 5}
    again, _ = api.patch(deployments, "default", "d", "apply", body, Options("m"))
    assert again["metadata"] == made["metadata"]


def test_an_apply_of_another_kind_is_refused(api: Api, kind: Find) -> None:
    maps, options = kind("v1", "ConfigMap"), Options("m")
    found = refusal(lambda: api.patch(maps, "default", "c", "apply", {"metadata": {"name": "c"}}, options))
    assert (found.code, found.message) == (400, "invalid object type: /, Kind=")
    other = {**config(), "kind": "Secret"}
    found = refusal(lambda: api.patch(maps, "default", "c", "apply", other, options))
    assert (found.code, found.message) == (400, "invalid object type: /v1, Kind=Secret")


def test_fields_not_in_the_schema_are_told_to_who_applies(api: Api, kind: Find) -> None:
    body = {**config(), "dota": {}}
    found = refusal(lambda: api.patch(kind("v1", "ConfigMap"), "default", "c", "apply", body, Options("m")))
    wanted = "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .dota: field not declared in schema"
    assert (found.code, found.message) == (500, wanted)


def test_what_was_there_before_the_first_apply_has_an_owner(api: Api, kind: Find) -> None:
    maps = kind("v1", "ConfigMap")
    api.create(maps, "default", config({"a": "1"}))
    cleared = api.update(maps, "default", "c", config({"a": "1"}, managedFields=[{}]), Options("m"))
    assert owners(cleared) == {}
    changed = api.update(maps, "default", "c", config({"a": "2"}), Options("m"))
    assert owners(changed) == {}
    applied, _ = api.patch(maps, "default", "c", "apply", config({"b": "1"}), Options("m"))
    assert owners(applied) == {
        ("m", "Apply", ""): {"f:data": {"f:b": {}}},
        ("before-first-apply", "Update", ""): {"f:data": {".": {}, "f:a": {}}},
    }


def test_the_oldest_of_many_updaters_become_one(api: Api, kind: Find) -> None:
    maps = kind("v1", "ConfigMap")
    api.create(maps, "default", config({"k0": "x"}), Options("m00"))
    for number in range(1, 14):
        patch = {"data": {f"k{number}": "x"}}
        made, _ = api.patch(maps, "default", "c", "merge", patch, Options(f"m{number:02}"))
    found = owners(made)
    assert len(found) == 10
    ancient = found["ancient-changes", "Update", ""]["f:data"]
    assert set(ancient) == {".", "f:k0", "f:k1", "f:k2", "f:k3", "f:k4"}


def test_a_patch_cannot_change_what_the_object_is(api: Api, kind: Find) -> None:
    maps = kind("v1", "ConfigMap")
    api.create(maps, "default", config({"a": "1"}))

    def patch(body: Json, how: str = "merge", validation: str = "Strict") -> StatusError:
        options = Options("m", validation=validation)
        return refusal(lambda: api.patch(maps, "default", "c", how, body, options))

    found = patch({"metadata": {"uid": "x"}})
    assert (found.code, found.message) == (
        422,
        'ConfigMap "c" is invalid: metadata.uid: Invalid value: "x": field is immutable',
    )
    assert "unknown conversion" in patch({"kind": "Secret"}).message
    assert patch({"dota": 1}).message.endswith('strict decoding error: unknown field "dota"')
    assert patch({"dota": 1}, "strategic").message == (
        ' "" is invalid: patch: Invalid value: "map[dota:1]": strict decoding error: unknown field "dota"'
    )
    assert (
        "cannot unmarshal number into Go struct field ConfigMap.data of type string"
        in patch({"data": {"a": 1}}).message
    )


def test_the_failing_step_of_a_json_patch_is_not_told(api: Api, kind: Find) -> None:
    maps = kind("v1", "ConfigMap")
    api.create(maps, "default", config({"a": "1"}))
    for step in ({"op": "remove", "path": "/data/b"}, {"op": "test", "path": "/data/a", "value": "2"}):
        found = refusal(lambda step=step: api.patch(maps, "default", "c", "json", [step], Options("m")))  # type: ignore[misc]
        assert (found.code, found.message) == (
            422,
            "the server rejected our request due to an error in our request",
        )


def test_custom_and_some_builtin_kinds_want_the_version_they_replace(api: Api, kind: Find) -> None:
    budgets = kind("policy/v1", "PodDisruptionBudget")
    body = {"metadata": {"name": "p"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}}
    made = api.create(budgets, "default", body)
    found = refusal(lambda: api.update(budgets, "default", "p", body))
    assert found.code == 422
    assert found.message == (
        'poddisruptionbudgets.policy "p" is invalid: metadata.resourceVersion: Invalid value: 0: '
        "must be specified for an update"
    )
    versioned = {**body, "metadata": {"name": "p", "resourceVersion": made["metadata"]["resourceVersion"]}}
    api.update(budgets, "default", "p", versioned)


def test_deletions_have_preconditions(api: Api, kind: Find) -> None:
    maps = kind("v1", "ConfigMap")
    made = api.create(maps, "default", config())
    found = refusal(lambda: api.delete(maps, "default", "c", Deletion(uid="other")))
    assert found.code == 409
    assert found.message.startswith('Operation cannot be fulfilled on ConfigMap "c": the UID in the precondition')
    found = refusal(lambda: api.delete(maps, "default", "c", Deletion(resource_version="1")))
    assert "the ResourceVersion in the precondition (1) does not match" in found.message
    _, gone = api.delete(maps, "default", "c", Deletion(uid=made["metadata"]["uid"]))
    assert gone


def test_what_is_being_deleted_cannot_be_created_again(api: Api, kind: Find) -> None:
    maps = kind("v1", "ConfigMap")
    api.create(maps, "default", config(finalizers=["example.com/hold"]))
    _, gone = api.delete(maps, "default", "c")
    assert not gone
    found = refusal(lambda: api.create(maps, "default", config()))
    assert found.message == 'object is being deleted: configmaps "c" already exists'
    api.patch(maps, "default", "c", "merge", {"metadata": {"finalizers": None}}, Options("m"))
    assert api.find(maps, "default", "c") is None


def test_generations_count_the_desired_state(api: Api, kind: Find) -> None:
    apps = kind("apps/v1", "Deployment")
    api.create(apps, "default", DEPLOYMENT)

    def patch(body: Json, subresource: str = "") -> int:
        made, _ = api.patch(apps, "default", "d", "merge", body, Options("m"), subresource)
        generation: int = made["metadata"]["generation"]
        return generation

    assert patch({"metadata": {"labels": {"x": "y"}}}) == 1
    assert patch({"spec": {"replicas": 2}}) == 2
    assert patch({"status": {"replicas": 2}}, "status") == 2
    assert patch({"spec": {"replicas": 2}}) == 2


def test_one_object_in_two_versions(api: Api, kind: Find) -> None:
    old, new = kind("autoscaling/v1", "HorizontalPodAutoscaler"), kind("autoscaling/v2", "HorizontalPodAutoscaler")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    spec = {"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50}
    made = api.create(old, "default", {"metadata": {"name": "h"}, "spec": spec})
    assert made["spec"]["targetCPUUtilizationPercentage"] == 50
    found = api.get(new, "default", "h")
    assert found["apiVersion"] == "autoscaling/v2"
    assert found["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 50}
    assert "metrics" not in api.get(old, "default", "h")["spec"]
