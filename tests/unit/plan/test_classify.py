"""Whose doing a difference is."""

from __future__ import annotations

from sbkube.models.plan import Cause, FieldChange
from sbkube.plan.classify import classify, without


def _by(manager: str, path: str = "spec.x") -> FieldChange:
    return FieldChange(path, 1, 2, manager=manager)


def test_our_own_fields_need_no_force() -> None:
    verdict = classify([_by("sbkube"), _by("")], recorded=True, force=False)
    assert [f.cause for f in verdict.fields] == [Cause.OURS, Cause.OURS]
    assert not verdict.force


def test_a_field_changed_behind_our_back_is_drift() -> None:
    verdict = classify([_by("kubectl-edit")], recorded=True, force=False)
    assert verdict.fields[0].cause is Cause.DRIFT
    assert verdict.force


def test_a_field_of_another_is_a_conflict_until_force_is_consented_to() -> None:
    refused = classify([_by("argocd")], recorded=False, force=False)
    assert not refused.fields and refused.conflicts[0].manager == "argocd"
    taken = classify([_by("argocd")], recorded=False, force=True)
    assert taken.fields[0].cause is Cause.THEIRS and taken.force


def test_replicas_stay_with_the_autoscaler() -> None:
    verdict = classify([_by("horizontal-pod-autoscaler", "spec.replicas")], recorded=True, force=True)
    assert verdict.fields == () and verdict.left[0].path == "spec.replicas"


def test_without_drops_a_field_and_keeps_the_rest() -> None:
    body = {"spec": {"replicas": 3, "x": 1}}
    assert without(body, ["spec.replicas", "spec.y.z"]) == {"spec": {"x": 1}}
    assert body["spec"]["replicas"] == 3
