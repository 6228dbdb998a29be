"""Plans as they are approved: what is in them, and what is told when one comes out otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sbkube.models.plan import AppPlan, Change, Effect, FieldChange, Plan, Verb
from sbkube.models.release import ReleaseSpec
from sbkube.models.resource import ResourceKey
from sbkube.plan.operations import ReleaseStep, object_step, release_step
from sbkube.plan.saved import Sealer, canonical, differences, saved_form

PLANTED = "planted-3c"


def body(kind: str = "ConfigMap", value: str = "1", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "a", "namespace": "x", **meta},
        "data": {"k": value},
    }


def change(effect: Effect, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Change:
    fields = (FieldChange("data.k", "1", "2"),) if before and after else ()
    return Change(ResourceKey.of(before or after or {}), effect, before, after, fields)


def plan(*changes: Change, release: str = "", values: dict[str, Any] | None = None, **more: Any) -> Plan:
    steps = [object_step("app", Verb.APPLY, c, c.after) for c in changes if not release]
    if release:
        spec = ReleaseSpec("r", "x", "/some/folder", values or {}, "r", "1.0.0", "sha256:1")
        steps = [release_step("app", ReleaseStep(Verb.HELM_UPGRADE, spec, 1, changes=changes))]
    app = AppPlan(
        "app", "yaml", "x", changes=changes, operations=tuple(s.operation for s in steps), release=release
    )
    return Plan("shop", "x", "apply", "k3s", "uid-1", (app,), **more)


def form(value: Plan, key: bytes | None = b"key") -> Any:
    return json.loads(canonical(saved_form(value, Sealer(key))))


LIVE = body(uid="u-1", resourceVersion="7", managedFields=[{"manager": "sbkube", "time": "2026"}])
CHANGED = change(Effect.CHANGE, LIVE, body(value="2", uid="u-1"))


def told(then: Plan, now: Plan) -> str:
    (problem,) = differences(form(then), form(now))
    return problem.message


def test_what_the_server_counts_makes_no_difference() -> None:
    later = body(uid="u-1", resourceVersion="9", generation=4, managedFields=[{"manager": "x", "time": "2027"}])
    assert form(plan(CHANGED)) == form(plan(replace(CHANGED, before={**later, "status": {"ready": 1}})))
    assert differences(form(plan(CHANGED)), form(plan(CHANGED))) == []


def test_replicas_of_an_autoscaler_make_no_difference() -> None:
    def scaled(replicas: int) -> Plan:
        entry = {
            "manager": "kube-controller-manager",
            "operation": "Update",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
        live = {**body(uid="u-1", managedFields=[entry]), "spec": {"replicas": replicas}}
        return plan(replace(CHANGED, before=live))

    assert form(scaled(3)) == form(scaled(5))


def test_secret_values_are_whole_hmacs() -> None:
    secret = change(Effect.CHANGE, body("Secret", PLANTED, uid="u-1"), body("Secret", PLANTED + "2"))
    secret = replace(secret, fields=(FieldChange("data.k", PLANTED, PLANTED + "2"),))
    sealer = Sealer(b"key")
    text = canonical(saved_form(plan(secret), sealer))
    assert PLANTED not in text and sealer.used
    assert len(Sealer(b"key").mask("x")) == len("hmac-sha256:") + 64
    assert Sealer(b"key").mask("x") != Sealer(b"other").mask("x")
    assert not any(char.isdigit() for char in Sealer(None).mask(PLANTED).removeprefix("hmac-sha256:"))


def test_nothing_that_comes_from_values_is_readable() -> None:
    rendered = change(Effect.CHANGE, body(value=PLANTED, uid="u-1"), body(value=PLANTED + "2"))
    rendered = replace(rendered, fields=(FieldChange("data.k", PLANTED, PLANTED + "2"),))
    value = plan(rendered, release="x/r", values={"password": PLANTED, "list": [PLANTED]})
    text = canonical(saved_form(value, Sealer(b"key")))
    assert PLANTED not in text and "/some/folder" not in text


def test_each_kind_of_move_has_its_words() -> None:
    then = plan(CHANGED)
    by_hand = replace(CHANGED, before=body(value="9", uid="u-1"))
    assert "live object has changed since: data.k" in told(then, plan(by_hand))
    assert "replaced by another" in told(then, plan(replace(CHANGED, before=body(uid="u-2"))))
    gone = replace(CHANGED, effect=Effect.CREATE, before=None)
    assert "was to change, now it is to create" in told(then, plan(gone))
    assert "was part of the plan" in told(then, plan())
    assert "was not part of the plan" in told(plan(), then)
    other = replace(CHANGED, fields=(FieldChange("data.k", "1", "3"),))
    assert "otherwise than was approved: data.k" in told(then, plan(other))
    assert "on_failure was 'stop', now it is 'continue'" in told(then, plan(CHANGED, on_failure="continue"))


def test_other_values_of_a_release_are_another_step() -> None:
    same = change(Effect.CHANGE, body(uid="u-1"), body(value="2"))
    then = plan(same, release="x/r", values={"p": PLANTED})
    text = told(then, plan(same, release="x/r", values={"p": "other"}))
    assert text == "the step app/helm_upgrade/Release/x/r differs in release"


def test_another_order_is_refused() -> None:
    two = AppPlan("b", "yaml", "x")
    value = plan(CHANGED)
    there, back = (replace(value, apps=apps) for apps in ((*value.apps, two), (two, *value.apps)))
    assert told(there, back) == "the order of apps or steps is another one"
