"""One and the same workload for sbkube and for its peers: Helm charts, and files of ConfigMaps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACE = "bench"
PAYLOAD = 800  # characters, so that an object has about the size of a real small one
VALUES = {"replicas": 1, "image": "nginx:1.25", "message": "hello"}
TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data: {message: {{ .Values.message | quote }}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: {{ .Values.image | quote }}}]}
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """`helm_apps` releases of three objects each, and `yaml_apps` files of `objects` ConfigMaps each."""

    helm_apps: int
    yaml_apps: int
    objects: int

    @property
    def releases(self) -> list[str]:
        """Names of the releases; each has its chart in `charts/NAME`."""
        return [f"web{number:02d}" for number in range(self.helm_apps)]

    @property
    def config_maps(self) -> int:
        """How many ConfigMaps the files hold."""
        return self.yaml_apps * self.objects

    def write(self, folder: Path, name: str = "bench", namespace: str = NAMESPACE) -> Path:
        """Write sbkube.yaml with what it names, and the same ConfigMaps as one plain file, `all.yaml`."""
        for release in self.releases:
            _chart(folder / "charts" / release, release)
        plain: list[dict[str, Any]] = []
        manifests = folder / "manifests"
        manifests.mkdir(parents=True)
        for number in range(self.yaml_apps):
            objects = [_config_map(f"settings{number:02d}", index) for index in range(self.objects)]
            (manifests / f"settings{number:02d}.yaml").write_text(_documents(objects))
            plain += objects
        (folder / "all.yaml").write_text(_documents(plain))
        (folder / "sbkube.yaml").write_text(json.dumps(self._project(name, namespace), indent=1))
        return folder

    def _project(self, project: str, namespace: str) -> dict[str, Any]:
        apps: dict[str, Any] = {name: {"type": "helm", "chart": f"./charts/{name}"} for name in self.releases}
        for number in range(self.yaml_apps):
            name = f"settings{number:02d}"
            apps[name] = {"type": "yaml", "manifests": [f"manifests/{name}.yaml"]}
        return {
            "apiVersion": "sbkube/v1",
            "metadata": {"name": project},
            "settings": {"namespace": namespace, "parallel_apps": True, "max_workers": 16},
            "apps": apps,
        }


def change(folder: Path, release: str, message: str) -> None:
    """Change one value of one chart."""
    (folder / "charts" / release / "values.yaml").write_text(json.dumps({**VALUES, "message": message}))


def _chart(folder: Path, name: str) -> None:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text(json.dumps(VALUES))
    (folder / "templates" / "all.yaml").write_text(TEMPLATE)


def _config_map(app: str, index: int) -> dict[str, Any]:
    name = f"{app}-{index:04d}"
    payload = f"{name}-".ljust(PAYLOAD, "x")
    data = {"app": app, "index": str(index), "payload": payload}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def documents(app: str, count: int) -> str:
    """So many ConfigMaps of an app as one file."""
    return _documents([_config_map(app, index) for index in range(count)])


def _documents(objects: list[dict[str, Any]]) -> str:
    # The first line keeps kubectl 1.32 from taking the file for JSON.
    return "".join("---\n" + json.dumps(item, indent=1) + "\n" for item in objects)
