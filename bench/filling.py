"""A long past in a state database, recorded by the tracker as a run records it, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bench.workload import PAYLOAD
from sbkube.models.deployment_state import DeploymentCreate, DeploymentStatus, LockTarget
from sbkube.models.outcome import OpState, Outcome
from sbkube.models.plan import AppPlan, Change, Effect, Operation, Plan, Verb
from sbkube.models.resource import ResourceKey
from sbkube.state.tracker import DeploymentTracker

Json = dict[str, Any]
TARGET = LockTarget("bench", "cluster-1", "bench")


def fill(url: str, deployments: int, objects: int, say: Callable[[str], None]) -> int:
    """Record deployments of a project of so many ConfigMaps, of which one in a hundred changes each time.

    Gives the bytes that the images of all objects of all deployments take as plain JSON.
    """
    tracker = DeploymentTracker(url)
    live = [_live(index, 0) for index in range(objects)]
    plain = 0
    try:
        for number in range(deployments):
            changed = range(objects) if number == 0 else _changed(number, objects)
            _record(tracker, live, changed, number)
            plain += sum(len(json.dumps(body)) for body in live)
            if number and number % 1000 == 0:
                say(f"  {number} of {deployments} deployments recorded")
    finally:
        tracker.close()
    return plain


def _changed(number: int, objects: int) -> range:
    each = max(1, objects // 100)
    first = number * each % objects
    return range(first, min(first + each, objects))


def _live(index: int, version: int) -> Json:
    name = f"settings-{index:04d}"
    meta = {"name": name, "namespace": "bench", "uid": f"uid-{index}", "resourceVersion": str(1000 + version)}
    data = {"index": str(index), "version": str(version), "payload": f"{name}-".ljust(PAYLOAD, "x")}
    owner = {"manager": "sbkube", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    fields: Json = {"f:data": {f"f:{key}": {} for key in data}}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**meta, "managedFields": [{**owner, "fieldsV1": fields}]},
        "data": data,
    }


def _record(tracker: DeploymentTracker, live: list[Json], changed: range, number: int) -> None:
    operations, outcomes, changes = [], [], []
    for index, before in enumerate(live):
        if index not in changed:
            changes.append(Change(ResourceKey.of(before), Effect.UNCHANGED))
            continue
        after = _live(index, number)
        operation = _apply(after, before if number else None)
        now = datetime.now(UTC)
        outcomes.append(Outcome(operation.id, OpState.APPLIED, now, now, after=after))
        operations.append(operation)
        changes += operation.changes
        live[index] = after
    app = AppPlan(
        "settings",
        "yaml",
        "bench",
        changes=tuple(changes),
        operations=tuple(operations),
        spec={"type": "yaml"},
    )
    plan = Plan("bench", "bench", "apply", "bench", "cluster-1", (app,))
    data = DeploymentCreate(
        cluster="bench",
        namespace="bench",
        app_config_dir=".",
        config_file_path="sbkube.yaml",
        command="apply",
        config_snapshot={"metadata": {"name": "bench"}},
        project="bench",
        cluster_uid="cluster-1",
    )
    lock = tracker.acquire(TARGET, "apply")
    journal = tracker.begin(replace(data, operator="bench"), plan, lock)
    journal.app_started("settings")
    journal.intend(operations)
    journal.settle(outcomes)
    journal.app_ended("settings", DeploymentStatus.SUCCESS)
    journal.finish()
    tracker.release(lock)


def _apply(body: Json, before: Json | None) -> Operation:
    key = ResourceKey.of(body)
    change = Change(key, Effect.CHANGE if before else Effect.CREATE, before, body)
    name = f"settings/apply/{key.kind}/{key.namespace}/{key.name}"
    version = str(before["metadata"]["resourceVersion"]) if before else ""
    return Operation(name, "settings", Verb.APPLY, key, body, (change,), resource_version=version)
