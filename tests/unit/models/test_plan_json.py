"""Plans survive the way through JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from ledger_plans import apply, config_map, delete, install, live, plan_of, secret

from sbkube.errors import Place
from sbkube.models.plan import Cause, FieldChange, Operation, Plan, Verb
from sbkube.models.plan_json import Body, plan_from_json, plan_to_json
from sbkube.models.resource import ResourceKey


def everything() -> Plan:
    wait = Operation(
        "web/wait",
        "web",
        Verb.WAIT,
        awaits=(ResourceKey("apps", "v1", "Deployment", "default", "web"),),
        needs=("a",),
        after=("b",),
        timeout=12.5,
    )
    drift = replace(
        apply(secret(), live(secret())).changes[0],
        fields=(FieldChange("data.a", "x", None, Cause.DRIFT, "kubectl", "2026-01-01T00:00:00Z"),),
        source=None,
    )
    op = replace(
        apply(secret(), live(secret())), changes=(drift,), sensitive=True, force=True, source=Place("a", 1, 2)
    )
    return plan_of(op, apply(config_map()), delete(live(config_map("old"))), wait, install(), purpose="rollback")


def test_nothing_is_lost_through_json() -> None:
    plan = everything()
    back = plan_from_json(json.loads(json.dumps(plan_to_json(plan))))
    assert back == plan
    assert [op.desired for op in back.operations] == [op.desired for op in plan.operations]
    assert [op.changes[0].before for op in back.operations if op.changes] == [
        op.changes[0].before for op in plan.operations if op.changes
    ]
    assert back.operations[-1].release == plan.operations[-1].release


def test_the_hook_keeps_bodies_elsewhere() -> None:
    plan = everything()
    kept: dict[int, object] = {}
    seen: list[Body] = []

    def store(value: object, body: Body) -> int:
        seen.append(body)
        kept[len(kept)] = value
        return len(kept) - 1

    data = json.loads(json.dumps(plan_to_json(plan, store)))
    assert "correct-horse" not in json.dumps(data["apps"][0])
    assert {body.role for body in seen} == {"desired", "before", "after", "values"}
    assert any(body.sensitive and body.key for body in seen)
    assert [body.release for body in seen if body.role == "values"] == ["default/db"]
    assert plan_from_json(data, lambda number, _: kept[number]) == plan
