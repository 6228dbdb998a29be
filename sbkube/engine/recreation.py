"""A deleted object as it can be made again: without identity, status and what the cluster gave it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbkube.plan import diff, fieldset
from sbkube.plan.labels import MANAGER

# What the cluster assigns; a recreated object gets new ones.
_ASSIGNED = {
    "Service": ("clusterIP", "clusterIPs", "healthCheckNodePort"),
    "Pod": ("nodeName",),
    "PersistentVolumeClaim": ("volumeName",),
}
# The Job controller ties a Job to its pods by these; a new Job gets its own.
_JOB_LABELS = frozenset(
    {"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"}
)


def recreation(before: Mapping[str, Any]) -> dict[str, Any]:
    """What we owned of it; all of it where we owned nothing."""
    owned = fieldset.owned_tree(before, MANAGER)
    return fieldset.extract(before, owned) if owned else whole(before)


def whole(before: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of it that can be set."""
    body = dict(diff.significant(before) or {})
    meta = {k: v for k, v in body["metadata"].items() if k != "ownerReferences"}
    kind, spec = str(body.get("kind")), body.get("spec")
    if isinstance(spec, Mapping):
        assigned = _ASSIGNED.get(kind, ())
        keep_headless = spec.get("clusterIP") == "None"
        body["spec"] = {k: v for k, v in spec.items() if k not in assigned or keep_headless}
    if kind == "Job":
        body["spec"] = _untied(body["spec"])
    return {**body, "metadata": meta}


def _untied(spec: Mapping[str, Any]) -> dict[str, Any]:
    if spec.get("manualSelector"):
        return dict(spec)
    template = spec.get("template") or {}
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in _JOB_LABELS}
    untied = {k: v for k, v in spec.items() if k != "selector"}
    return {**untied, "template": {**template, "metadata": {**meta, "labels": labels}}}
