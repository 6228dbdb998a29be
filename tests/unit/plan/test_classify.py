"""Whose doing a difference is."""

from __future__ import annotations

from typing import Any

from sbkube.models.plan import Cause, FieldChange
from sbkube.plan.classify import Past, classify, moved_since

NEW = Past()
UNREADABLE = Past(recorded=True)


def _by(manager: str, path: str = "spec.x", operation: str = "Update") -> FieldChange:
    return FieldChange(path, 1, 2, manager=manager, operation=operation)


def _moved(*paths: str) -> Past:
    return Past(recorded=True, moved=frozenset(paths))


def test_our_own_fields_need_no_force() -> None:
    verdict = classify([_by("sbkube"), _by("")], _moved(), force=False)
    assert [f.cause for f in verdict.fields] == [Cause.OURS, Cause.OURS]
    assert not verdict.force


def test_a_field_changed_behind_our_back_is_drift() -> None:
    for past in (_moved("spec.x"), _moved("spec"), _moved("spec.x.y"), UNREADABLE):
        verdict = classify([_by("kubectl-edit")], past, force=False)
        assert verdict.fields[0].cause is Cause.DRIFT
        assert verdict.force


def test_a_field_that_somebody_removed_is_drift_of_nobody() -> None:
    (field,) = classify([FieldChange("spec.x", None, 2)], _moved("spec.x"), force=False).fields
    assert field.cause is Cause.DRIFT


def test_a_field_of_another_that_we_never_set_is_a_conflict_though_the_object_is_ours() -> None:
    verdict = classify([_by("operator")], _moved("spec.y", "spec.xylophone"), force=False)
    assert [f.manager for f in verdict.conflicts] == ["operator"]


def test_a_field_of_another_is_a_conflict_until_force_is_consented_to() -> None:
    refused = classify([_by("argocd")], NEW, force=False)
    assert not refused.fields and refused.conflicts[0].manager == "argocd"
    taken = classify([_by("argocd")], NEW, force=True)
    assert taken.taken[0].cause is Cause.THEIRS and taken.force


def test_predecessors_hand_over_without_a_word() -> None:
    verdict = classify([_by("kubectl-create")], NEW, force=False, predecessors=("kubectl-create",))
    assert verdict.fields[0].cause is Cause.OURS and not verdict.force


def test_replicas_stay_with_the_autoscaler_even_if_they_were_ours() -> None:
    for past in (NEW, _moved("spec.replicas")):
        verdict = classify([_by("kube-controller-manager", "spec.replicas")], past, force=True)
        assert verdict.fields == () and verdict.left[0].path == "spec.replicas"


def test_ca_bundles_stay_with_whoever_injects_them() -> None:
    path = "webhooks[name=a.example.com].clientConfig.caBundle"
    assert classify([_by("certgen", path)], NEW, force=False).left
    assert classify([_by("certgen", path)], NEW, force=False).conflicts == ()


def _image(values: dict[str, Any], owned: dict[str, Any], *more: dict[str, Any]) -> dict[str, Any]:
    entry = {"manager": "sbkube", "operation": "Apply", "time": "t0", "fieldsV1": {"f:data": owned}}
    meta = {"name": "a", "managedFields": [entry, *more]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": values}


def test_moved_since_names_value_manager_and_time_of_our_fields_only() -> None:
    after = _image({"ours": "1", "gone": "1", "theirs": "1"}, {"f:ours": {}, "f:gone": {}})
    edit = {"manager": "kubectl-edit", "operation": "Update", "time": "t1", "fieldsV1": {"f:data": {"f:ours": {}}}}
    live = _image({"ours": "2", "theirs": "2", "new": "1"}, {"f:other": {}}, edit)
    found = {f.path: (f.before, f.after, f.manager, f.time) for f in moved_since(after, live)}
    assert found == {"data.ours": ("1", "2", "kubectl-edit", "t1"), "data.gone": ("1", None, "", "")}


def test_what_a_webhook_changes_without_being_asked_is_no_conflict() -> None:
    verdict = classify([_by("operator", "spec.y"), _by("operator")], NEW, force=False, unasked={"spec.y"})
    assert [f.path for f in verdict.conflicts] == ["spec.x"]
    assert [f.path for f in verdict.fields] == ["spec.y"] and not verdict.force


def test_another_order_of_a_list_says_nothing_of_its_items() -> None:
    past = Past(recorded=True, moved=frozenset(), reordered=frozenset({"spec.x"}))
    order, item = _by("kubectl-edit"), _by("operator", "spec.x[name=a].value")
    verdict = classify([order, item], past, force=False)
    assert verdict.fields[0].cause is Cause.DRIFT
    assert [f.path for f in verdict.conflicts] == [item.path]
