"""Taking over from tools that write by Update."""

from __future__ import annotations

from typing import Any

from sbkube.plan import migrate


def _entry(manager: str, operation: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields, **more}


def _map(data: dict[str, str], *entries: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    meta = {"name": "a", "resourceVersion": "7", "managedFields": list(entries), **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


KUBECTL = _entry("kubectl-client-side-apply", "Update", {"f:data": {".": {}, "f:a": {}, "f:b": {}}}, time="1")
OTHER = _entry("operator", "Update", {"f:data": {"f:c": {}}}, time="2")
OURS = _entry("sbkube", "Apply", {"f:data": {"f:a": {}}}, time="3")


def test_tools_hand_over_once_and_strangers_never() -> None:
    assert migrate.predecessors(_map({}, KUBECTL, OTHER)) == ("kubectl-client-side-apply",)
    assert migrate.predecessors(_map({}, KUBECTL, OURS)) == ()
    assert migrate.predecessors(None) == ()


def test_what_only_adds_something_beside_is_no_predecessor() -> None:
    label = _entry("kubectl-label", "Update", {})
    scaled = _entry("kubectl-edit", "Update", {}, subresource="scale")
    assert migrate.predecessors(_map({}, label, scaled)) == ()


def test_our_own_creations_are_migrated_always_and_helm_only_its_own() -> None:
    created = _entry("sbkube", "Update", {})
    assert migrate.predecessors(_map({}, created, OURS)) == ("sbkube",)
    helm = _entry("helm", "Update", {})
    assert migrate.predecessors(_map({}, helm, KUBECTL), "helm") == ("helm",)


def test_the_merged_entry_owns_what_all_owned_and_the_others_stay() -> None:
    entries = migrate.merged(_map({}, KUBECTL, OTHER), ["kubectl-client-side-apply"])
    assert entries[0] == OTHER
    assert (entries[1]["manager"], entries[1]["operation"]) == ("sbkube", "Apply")
    assert entries[1]["fieldsV1"] == KUBECTL["fieldsV1"]
    joined = migrate.merged(_map({}, KUBECTL, OURS), ["kubectl-client-side-apply"])
    assert len(joined) == 1 and joined[0]["fieldsV1"] == KUBECTL["fieldsV1"]


def test_the_patch_is_bound_to_the_version_that_was_read() -> None:
    live = _map({}, KUBECTL)
    assert {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"} in migrate.steps(live, [])


def test_fields_that_only_the_predecessor_owns_are_given_up() -> None:
    after = _map({"a": "1", "b": "2", "c": "3", "d": "4"}, KUBECTL, OTHER, OURS)
    left = migrate.given_up(after, ["kubectl-client-side-apply"])
    assert left["data"] == {"a": "1", "c": "3", "d": "4"}
    assert migrate.replacement(after, left) == [{"op": "add", "path": "/data", "value": left["data"]}]


def test_items_of_lists_go_by_their_keys() -> None:
    def tree(*names: str) -> dict[str, Any]:
        return {"f:spec": {"f:items": {f'k:{{"name":"{n}"}}': {".": {}, "f:name": {}, "f:x": {}} for n in names}}}

    after = _map({}, _entry("kubectl-create", "Update", tree("a", "b")), _entry("sbkube", "Apply", tree("a")))
    after["spec"] = {"items": [{"name": "a", "x": 1}, {"name": "b", "x": 2}, {"name": "c"}]}
    left = migrate.given_up(after, ["kubectl-create"])
    assert [item["name"] for item in left["spec"]["items"]] == ["a", "c"]


def test_a_container_that_becomes_empty_goes() -> None:
    mine = _entry("kubectl-create", "Update", {"f:metadata": {"f:annotations": {"f:x": {}}}})
    after = _map({}, mine, annotations={"x": "1"})
    left = migrate.given_up(after, ["kubectl-create"])
    assert "annotations" not in left["metadata"] and left["metadata"]["name"] == "a"
    assert migrate.replacement(after, left) == [{"op": "remove", "path": "/metadata/annotations"}]


def test_our_fields_go_to_helm_and_our_labels_stay_ours() -> None:
    fields = {
        "f:metadata": {"f:labels": {"f:sbkube.dev/app": {}, "f:tier": {}}},
        "f:data": {"f:a": {}},
    }
    ours = _entry("sbkube", "Apply", fields, time="1")
    stay, gone, other = sorted(
        migrate.handed_over(_map({}, ours, OTHER), {"sbkube.dev/app": "a"}),
        key=lambda e: ["sbkube", "helm", "operator"].index(e["manager"]),
    )
    assert stay["fieldsV1"] == {"f:metadata": {"f:labels": {"f:sbkube.dev/app": {}}}}
    assert gone["fieldsV1"] == {"f:metadata": {"f:labels": {"f:tier": {}}}, "f:data": {"f:a": {}}}
    assert gone["operation"] == "Apply" and other == OTHER


HELM = _entry("helm", "Apply", {"f:metadata": {"f:annotations": {"f:meta.helm.sh/release-name": {}}}}, time="4")


def test_what_a_release_has_applied_goes_over_only_when_the_object_leaves_it() -> None:
    live = _map({}, HELM, OURS)
    assert migrate.predecessors(live) == ()
    assert migrate.predecessors(live, handed=True) == (migrate.RELEASE,)
    (entry,) = migrate.merged(live, (migrate.RELEASE,))
    assert entry["manager"] == "sbkube" and {"f:metadata", "f:data"} <= set(entry["fieldsV1"])


def test_a_takeover_that_was_cut_off_is_told_from_one_that_is_done() -> None:
    live = _map({}, HELM, OURS)
    planned = _map({}, *migrate.merged(live, (migrate.RELEASE,)))
    assert migrate.unfinished(live, planned) == (migrate.RELEASE,)
    assert migrate.unfinished(planned, planned) == ()
    assert migrate.unfinished(live, _map({}, HELM, OURS)) == ()  # Helm was to keep its own


def test_giving_back_leaves_nothing_of_ours_and_completes_what_others_kept() -> None:
    some = _entry("kubectl-client-side-apply", "Update", {"f:data": {"f:b": {}}}, time="5")
    assert migrate.given_back(_map({}, OURS, OTHER), [KUBECTL]) == [OTHER, KUBECTL]
    (entry,) = migrate.given_back(_map({}, OURS, some), [KUBECTL])
    assert set(entry["fieldsV1"]["f:data"]) >= {"f:a", "f:b"}
    (step, _) = migrate.steps(_map({}, OURS), migrate.given_back(_map({}, OURS), []))
    assert step["value"] == [{}]  # an empty list would change nothing
