"""Bodies that the scenarios send, and readings of what comes back."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


def config_map(name: str, data: Json | None = None, **metadata: Any) -> Json:
    """A ConfigMap."""
    body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return body if data is None else {**body, "data": data}


def deployment(name: str, replicas: int | None = 1, **template: Any) -> Json:
    """A Deployment of one container; `template` are annotations of its pods."""
    spec: Json = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}, **({"annotations": template} if template else {})},
            "spec": {"containers": [{"name": "main", "image": "registry.example/main:1"}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str, **spec: Any) -> Json:
    """A Service on port 80."""
    body = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "protocol": "TCP"}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def owned(name: str, owner: Json, *, block: bool = False) -> Json:
    """A ConfigMap that belongs to another object."""
    reference = {
        "apiVersion": owner.get("apiVersion", "v1"),
        "kind": owner.get("kind", "ConfigMap"),
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": block,
    }
    return config_map(name, ownerReferences=[reference])


def owners(body: Json) -> dict[tuple[str, str], Json]:
    """Manager and operation (with the subresource behind a slash) → the fields it owns."""
    found = {}
    for entry in body["metadata"].get("managedFields") or ():
        sub = f"/{entry['subresource']}" if entry.get("subresource") else ""
        found[entry["manager"], entry["operation"] + sub] = entry["fieldsV1"]
    return found


def version(body: Json) -> str:
    """The resource version."""
    return str(body["metadata"]["resourceVersion"])


def names(listed: Json) -> list[str]:
    """The names in a list."""
    return [item["metadata"]["name"] for item in listed["items"]]


def key(**values: Any) -> str:
    """An item of a list map as FieldsV1 names it."""
    return "k:" + json.dumps(values, separators=(",", ":"))
