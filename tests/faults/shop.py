"""The project that the fault tests deploy: three Helm apps (one with hooks), three of manifests, and a prune.

State A has an app `old` that state B has no more; B changes something in every other app. The chart of `hooked`
has Jobs before and after an installation and an upgrade, which succeed at once in the sandbox.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "shop"
HOOKED = "hooked"
PLANTED = "s3cret-of-the-fault-tests"  # is in a Secret of the project, and must be nowhere in clear

_WEB = """apiVersion: v1
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
    metadata: {labels: {app: {{ .Release.Name }}}, annotations: {greeting: {{ .Values.greeting | quote }}}}
    spec: {containers: [{name: web, image: "nginx:1"}]}
{{- if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-extra}
data: {only: here}
{{- end }}
"""
_HOOKS = """{{- range $when := list "pre" "post" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-{{ $when }}
  annotations:
    helm.sh/hook: {{ $when }}-install,{{ $when }}-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: job, image: "busybox:1", args: [{{ $.Values.greeting | quote }}]}]
{{- end }}
"""


def _chart(folder: Path, name: str, *, hooks: bool = False) -> str:
    base = folder / "charts" / name
    (base / "templates").mkdir(parents=True, exist_ok=True)
    (base / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    (base / "values.yaml").write_text("greeting: hello\nreplicas: 1\nextra: false\n")
    (base / "templates" / "web.yaml").write_text(_WEB)
    if hooks:
        (base / "templates" / "hooks.yaml").write_text(_HOOKS)
    return f"./charts/{name}"


def _configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _workload(name: str, mark: str) -> dict[str, Any]:
    container = {"name": "c", "image": "nginx:1", "env": [{"name": "MARK", "value": mark}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"mark": mark}},
                "spec": {"containers": [container]},
            },
        },
    }


def _manifests(folder: Path, name: str, documents: list[dict[str, Any]]) -> list[str]:
    file = folder / f"{name}.yaml"
    file.write_text("---\n".join(yaml.safe_dump(d) for d in documents))
    return [file.name]


def write(folder: Path, state: str, without: Collection[str] = ()) -> None:
    """Write the project as it is in state `A`, `B`, or `C`, which is B with other values; some apps left out."""
    folder.mkdir(parents=True, exist_ok=True)
    new = state != "A"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "stringData": {"password": f"{PLANTED}-{state}"},
    }
    colours = {"colour": f"red {state}", "more": "1"} if new else {"colour": "blue", "less": "1"}
    base = [_configmap("settings", **colours), secret]
    front = [_workload("front", state), _configmap("front", state=state)]
    back = [_configmap("added", state=state)] if new else [_configmap("dropped", state=state)]
    (folder / "values.yaml").write_text(yaml.safe_dump({"greeting": f"hello {state}", "extra": new}))
    values = ["values.yaml"]
    apps: dict[str, Any] = {
        "base": {"type": "yaml", "manifests": _manifests(folder, "base", base)},
        "front": {"type": "yaml", "manifests": _manifests(folder, "front", front), "depends_on": ["base"]},
        "back": {"type": "yaml", "manifests": _manifests(folder, "back", [*back, _configmap("kept", same="yes")])},
        "web": {"type": "helm", "chart": _chart(folder, "web"), "values": values},
        "api": {"type": "helm", "chart": _chart(folder, "api"), "values": values, "depends_on": ["base"]},
        HOOKED: {"type": "helm", "chart": _chart(folder, "hooked", hooks=True), "values": values},
    }
    if not new:
        apps["old"] = {"type": "yaml", "manifests": _manifests(folder, "old", [_configmap("old", gone="soon")])}
    apps = {name: app for name, app in apps.items() if name not in without}
    document = {
        "apiVersion": "sbkube/v1",
        "metadata": {"name": NAMESPACE},
        "settings": {"namespace": NAMESPACE, "timeout": 20},
        "apps": apps,
    }
    (folder / "sbkube.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
