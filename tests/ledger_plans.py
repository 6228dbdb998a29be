"""Small plans and outcomes to record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sbkube.errors import Place
from sbkube.models.outcome import ObjectImages, OpState, Outcome
from sbkube.models.plan import AppPlan, Change, Effect, FieldChange, Operation, Plan, Verb
from sbkube.models.release import ReleaseRecord, ReleaseSpec
from sbkube.models.resource import ResourceKey

PASSWORD = "correct-horse-battery"


def config_map(name: str = "web", value: str = "1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"key": value},
    }


def secret(name: str = "login", value: str = PASSWORD) -> dict[str, Any]:
    return {**config_map(name), "kind": "Secret", "data": None, "stringData": {"password": value}}


def live(body: Mapping[str, Any], version: str = "10", uid: str = "u-1") -> dict[str, Any]:
    meta = {**body["metadata"], "uid": uid, "resourceVersion": version, "managedFields": [{"manager": "sbkube"}]}
    return {**body, "metadata": meta, "status": {"seen": True}}


def apply(body: Mapping[str, Any], before: Mapping[str, Any] | None = None, app: str = "web") -> Operation:
    key = ResourceKey.of(body)
    effect = Effect.CHANGE if before else Effect.CREATE
    fields = (FieldChange("data.key", None, "1"),)
    change = Change(key, effect, before, body, fields, "a note", Place("web.yaml", 3, 1))
    name = f"{app}/apply/{key.kind}/{key.namespace}/{key.name}"
    version = before["metadata"]["resourceVersion"] if before else ""
    return Operation(
        name,
        app,
        Verb.APPLY,
        key,
        body,
        (change,),
        uid="",
        resource_version=version,
        source=Place("web.yaml", 3, 1),
    )


def delete(body: Mapping[str, Any], app: str = "web") -> Operation:
    key = ResourceKey.of(body)
    change = Change(key, Effect.DELETE, body)
    return Operation(f"{app}/delete/{key.kind}/{key.namespace}/{key.name}", app, Verb.DELETE, key, None, (change,))


def install(app: str = "db", revision: int = 0) -> Operation:
    spec = ReleaseSpec("db", "default", "./charts/db", {"password": PASSWORD}, "db", "1.0.0", "sha256:1", "16")
    verb = Verb.HELM_UPGRADE if revision else Verb.HELM_INSTALL
    return Operation(f"{app}/{verb}/Release/default/db", app, verb, release=spec, revision=revision)


def plan_of(*operations: Operation, purpose: str = "apply", parent: str = "") -> Plan:
    names = list(dict.fromkeys(op.app for op in operations))
    apps = tuple(_app(name, tuple(op for op in operations if op.app == name)) for name in names)
    return Plan("shop", "default", purpose, "k3s", "uid-1", apps, parent, ("be careful",))


def _app(name: str, operations: tuple[Operation, ...]) -> AppPlan:
    helm = any(op.verb.helm for op in operations)
    return AppPlan(
        name,
        "helm" if helm else "yaml",
        "default",
        changes=tuple(change for op in operations for change in op.changes),
        operations=operations,
        spec={"type": "helm" if helm else "yaml"},
        sources={"web.yaml": "sha256:2"},
        release="default/db" if helm else "",
        notes=f"the password is {PASSWORD}" if helm else "",
    )


def outcome(op: Operation, after: Mapping[str, Any] | None = None, state: OpState = OpState.APPLIED) -> Outcome:
    now = datetime.now(UTC)
    return Outcome(op.id, state, now, now, after=after, message="" if state is OpState.APPLIED else "refused")


def release(revision: int, raw: str) -> ReleaseRecord:
    return ReleaseRecord("db", "default", revision, "deployed", "db", "1.0.0", "16", "manifest", raw=raw)


def installed(op: Operation, body: Mapping[str, Any], revision: int, raw: str) -> Outcome:
    now = datetime.now(UTC)
    images = (ObjectImages(ResourceKey.of(body), None, live(body)),)
    return Outcome(op.id, OpState.APPLIED, now, now, release=release(revision, raw), objects=images)
