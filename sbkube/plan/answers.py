"""Answers of dry runs without what a server makes up anew each time, so that equal inputs give equal plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sbkube.plan import diff

# What a server assigns where the manifest says nothing.
_ASSIGNED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("v1", "Service"): ("spec.clusterIP", "spec.clusterIPs", "spec.healthCheckNodePort"),
    ("batch/v1", "Job"): (
        "spec.selector",
        "metadata.labels['batch.kubernetes.io/controller-uid']",
        "metadata.labels.controller-uid",
        "spec.template.metadata.labels['batch.kubernetes.io/controller-uid']",
        "spec.template.metadata.labels.controller-uid",
    ),
}


def settled(after: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """A new object as it will be, without identity, times, owners, status, and what nobody asked for by value."""
    kind = (str(after.get("apiVersion")), str(after.get("kind")))
    paths = [path for path in _ASSIGNED.get(kind, ()) if diff.value_at(desired, path) is None]
    body = diff.without(diff.significant(after) or {}, paths)
    if kind == ("v1", "Service"):
        body = _without_node_ports(body, desired)
    return body


def _without_node_ports(body: dict[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    asked = {port.get("nodePort") for port in (desired.get("spec") or {}).get("ports") or ()}
    spec = body.get("spec") or {}
    ports = [
        {name: value for name, value in port.items() if name != "nodePort" or value in asked}
        for port in spec.get("ports") or ()
    ]
    return {**body, "spec": {**spec, "ports": ports}} if ports else body
