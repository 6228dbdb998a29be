"""The order in which things are undone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sbkube.config.load import load_project
from sbkube.engine.draft import Draft
from sbkube.engine.emptied import NAMESPACES
from sbkube.engine.schedule import Schedule
from sbkube.engine.undo import Undo
from sbkube.models.deployment_state import LockTarget
from sbkube.models.plan import Change, Effect, Plan, Verb
from sbkube.models.resource import ResourceKey
from sbkube.plan.operations import object_step

TARGET = LockTarget("shop", "uid-1", "shop")


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """`api` depends on `db`; `page` on nothing."""
    (tmp_path / "m.yaml").write_text("")
    app = "{type: yaml, manifests: [m.yaml]}"
    (tmp_path / "sbkube.yaml").write_text(
        "apiVersion: sbkube/v1\nmetadata: {name: shop}\nsettings: {namespace: shop}\n"
        f"apps:\n  api: {{type: yaml, manifests: [m.yaml], depends_on: [db]}}\n  db: {app}\n  page: {app}\n"
    )
    ledger = SimpleNamespace(inventory=lambda target: {})
    world = SimpleNamespace(cluster=None, helm=None, ledger=ledger)
    return Draft(load_project(tmp_path), cast(Any, world), TARGET, Undo())


def back(draft: Draft, app: str, kind: str = "ConfigMap", name: str = "") -> str:
    """Something of an app that is put back; gives the id of the step."""
    namespace = "" if kind == "Namespace" else "shop"
    key = ResourceKey("", "v1", kind, namespace, name or app)
    change = Change(key, Effect.CREATE, None, {})
    step = object_step(app, Verb.APPLY, change, {})
    draft.show(app, change)
    draft.put_back(app, step)
    return step.operation.id


def away(draft: Draft, app: str, kind: str = "ConfigMap", name: str = "gone") -> str:
    """Something of an app that is taken away; gives the id of the step."""
    key = ResourceKey("", "v1", kind, "" if kind == "Namespace" else "shop", name)
    change = Change(key, Effect.DELETE, {"metadata": {"uid": "u-1"}}, None)
    step = object_step(app, Verb.DELETE, change, None)
    draft.show(app, change)
    draft.take_away(app, step)
    return step.operation.id


def carried_out(draft: Draft, *fail: str) -> list[str]:
    """Steps that write, in the order in which they are carried out; those in `fail` fail, and so do waits."""
    plan = Plan("shop", "shop", "rollback", "k3s", "uid-1", tuple(draft.apps()), on_failure="continue")
    schedule, done = Schedule(plan), []
    while not schedule.finished:
        batch = schedule.take()
        for op in batch:
            if op.verb.writes:
                done.append(op.id)
            schedule.end(op, ok=op.verb.writes and op.id not in fail)
        if not batch:
            break
    assert schedule.finished
    return done


def test_dependencies_come_back_first_and_dependents_go_first(draft: Draft) -> None:
    api, db = back(draft, "api"), back(draft, "db")
    gone_db, gone_api = away(draft, "db", name="of-db"), away(draft, "api", name="of-api")
    order = carried_out(draft)
    assert order.index(db) < order.index(api) < order.index(gone_api) < order.index(gone_db)


def test_a_namespace_of_a_later_app_comes_before_all_that_lies_in_it(draft: Draft) -> None:
    """It was created by an app that now comes last; nobody must wait for ever."""
    inside = back(draft, "db")
    space = back(draft, "page", "Namespace", "shop")
    assert carried_out(draft)[0] == space and inside in carried_out(draft)


def test_namespaces_go_last_of_all(draft: Draft) -> None:
    steps = [away(draft, NAMESPACES, "Namespace", "shop"), back(draft, "db"), away(draft, "api")]
    assert carried_out(draft)[-1] == steps[0]


def test_what_fails_in_one_app_stops_no_other(draft: Draft) -> None:
    db, api = back(draft, "db"), back(draft, "api")
    gone = away(draft, "api")
    assert carried_out(draft, db) == [db, api, gone]


def test_what_is_not_written_back_keeps_the_new_in_its_place(draft: Draft) -> None:
    api, gone = back(draft, "api"), away(draft, "api")
    assert carried_out(draft, api) == [api] and gone not in carried_out(draft, api)


def test_what_takes_an_object_away_can_be_put_first(draft: Draft) -> None:
    back(draft, "api", name="other")
    gone = away(draft, "api", name="mine")
    key = ResourceKey("", "v1", "ConfigMap", "shop", "mine")
    assert draft.is_deleted(key)
    draft.hoist(key)
    assert carried_out(draft)[0] == gone
