"""Objects and charts that tests deploy."""

from __future__ import annotations

from typing import Any


def configmap(name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, *, replicas: int = 1, **annotations: str) -> dict[str, Any]:
    """A Deployment; `annotations` are the sandbox's own for its pods: `fail`, `ready_after`."""
    own = {f"sandbox.sbkube.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": own},
                "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
            },
        },
    }


WEB_CHART = {
    "web.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-page}
data: {greeting: {{ .Values.greeting | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: "nginx:1"}]}
"""
}
WEB_VALUES = "greeting: hello\nreplicas: 1\n"
