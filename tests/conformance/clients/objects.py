"""Manifests that the tests of foreign clients share."""

from __future__ import annotations

from typing import Any

import yaml

Json = dict[str, Any]


def manifest(*objects: Json) -> str:
    """The objects as one YAML stream."""
    return yaml.safe_dump_all(objects, sort_keys=False)


def pod_template(name: str, image: str = "nginx:1", **annotations: str) -> Json:
    """A template of pods labelled `app: NAME`; annotations make it fail."""
    keyed = {f"sandbox.sbkube.dev/{k.replace('_', '-')}": v for k, v in annotations.items()}
    meta = {"labels": {"app": name}, **({"annotations": keyed} if keyed else {})}
    container = {"name": name, "image": image, "ports": [{"containerPort": 80}]}
    return {"metadata": meta, "spec": {"containers": [container]}}


def workload(kind: str, name: str, image: str = "nginx:1", replicas: int = 2, **annotations: str) -> Json:
    """A Deployment, StatefulSet or DaemonSet."""
    spec: Json = {
        "selector": {"matchLabels": {"app": name}},
        "template": pod_template(name, image, **annotations),
    }
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}


def config(name: str, **data: str) -> Json:
    """A ConfigMap labelled `app: web`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "data": data,
    }


def service(name: str) -> Json:
    """A Service in front of the pods of `name`."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec,
    }


def pod(name: str, restart: str = "Always", **annotations: str) -> Json:
    """A pod of its own."""
    made = pod_template(name, "busybox:1", **annotations)
    made["spec"]["restartPolicy"] = restart
    return {"apiVersion": "v1", "kind": "Pod", **made, "metadata": {"name": name, **made["metadata"]}}


def definition(group: str) -> Json:
    """A CustomResourceDefinition of Widgets with a schema, a column, `status` and `scale`."""
    size = {"type": "integer", "minimum": 1, "description": "How many there are."}
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {"size": size, "colour": {"type": "string", "default": "red"}},
    }
    status = {"type": "object", "properties": {"size": {"type": "integer"}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
        },
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wd"]},
            "versions": [version],
        },
    }


def widget(group: str, name: str, **spec: Any) -> Json:
    """One Widget."""
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}
