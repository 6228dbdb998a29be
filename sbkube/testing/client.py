"""A small Kubernetes client for tests: what a test says in one line is one line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from sbkube.edges.cluster import HttpCluster
    from sbkube.models.resource import ResourceKey, ResourceType

Json = dict[str, Any]
Objects: TypeAlias = list[Json]  # inside the class `list` is the verb
MANAGER = "test"
LOOK = 0.05  # seconds between two looks at an object that is waited for


class NotReady(AssertionError):
    """An object has failed, or was not ready in time; the message says why."""


class Client:
    """Reads and writes objects as plain dicts, at the API server of a kubeconfig.

    A kind is named as in a manifest: `Deployment`, or with its version where two groups have it
    (`events.k8s.io/v1/Event`). Namespaced objects are in `default` unless something else is said. Nothing is
    repeated when it fails: what the server refuses is an `sbkube.errors.ClusterError` with `code` and `reason`
    (`ClusterForbidden` for 401 and 403), a lost connection `ClusterUnreachable`.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._connected: HttpCluster | None = None

    @property
    def cluster(self) -> HttpCluster:
        """The connection beneath (`sbkube.ports.Cluster`), which can more: `watch`, `merge`, `logs`, dry runs."""
        if self._connected is None:
            from sbkube.edges import cluster, kubeconfig
            from sbkube.edges.connection import Limits

            access = kubeconfig.load(str(self._kubeconfig), None, {})
            self._connected = cluster.connect(access, limits=Limits(retries=0))
        return self._connected

    def disconnect(self) -> None:
        """Close the connections; the next call connects again, to where the kubeconfig then leads."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def get(self, kind: str, name: str, namespace: str = "default") -> Json | None:
        """The object or None."""
        return self.cluster.get(self._key(kind, name, namespace))

    def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Objects:
        """All objects of a kind (in all namespaces when empty); `labels` and `fields` are selectors."""
        return self.cluster.list(self._type(kind), namespace, labels=labels, fields=fields)

    def apply(self, *objects: Mapping[str, Any] | str | Path, manager: str = MANAGER) -> Objects:
        """Server-side apply, taking fields from other managers; gives what is stored then.

        An object is a mapping, a text of YAML documents, or the path of a file with them.
        """
        return [self.cluster.apply(body, manager=manager, force=True) for body in self._bodies(objects)]

    def create(self, *objects: Mapping[str, Any] | str | Path, manager: str = MANAGER) -> Objects:
        """Create; 409 AlreadyExists when one is there. Objects as for `apply`."""
        return [self.cluster.create(body, manager=manager) for body in self._bodies(objects)]

    def delete(self, kind: str, name: str, namespace: str = "default", *, propagation: str = "Background") -> None:
        """Delete; what is gone already is no error. `propagation`: Background, Foreground or Orphan."""
        self.cluster.delete(self._key(kind, name, namespace), propagation=propagation)

    def wait_ready(self, kind: str, name: str, namespace: str = "default", *, timeout: float = 30) -> Json:
        """Wait until the object is ready by the rules of `sbkube apply`, and give it.

        Raises NotReady when it has failed, when one of its pods fails for a reason that waiting will not mend, or
        after `timeout` seconds.
        """
        from sbkube.health import assess

        key = self._key(kind, name, namespace)
        deadline = time.monotonic() + timeout
        while True:
            body = self.cluster.get(key)
            health = assess(body)
            if body is not None and health.ready:
                return body
            reason = f"{health.reason}: {health.message}"
            if trouble := self._trouble(body) if body else None:
                raise NotReady(f"{key} is not ready: {trouble}")
            if health.failed or time.monotonic() > deadline:
                raise NotReady(f"{key} is not ready{'' if health.failed else f' after {timeout:g} s'}: {reason}")
            time.sleep(LOOK)

    def raw(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """One request as it is; the answer's JSON, or its text when it is none."""
        from sbkube.edges.connection import Request

        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self.cluster.connection.request(Request(method, path, data, content_type, repeatable=False))
        try:
            return json.loads(answer.body)
        except ValueError:
            return answer.body.decode("utf-8", "replace")

    def _trouble(self, body: Json) -> str | None:
        """Why a pod of this object (or the pod that it is) will not become ready."""
        from sbkube.health.culprit import explain, fatal_reason

        if body["kind"] == "Pod":
            pods = [body]
        else:
            labels = ((body.get("spec") or {}).get("selector") or {}).get("matchLabels")
            if not isinstance(labels, dict) or not labels:
                return None
            wanted = ",".join(f"{name}={value}" for name, value in labels.items())
            pods = self.list("Pod", body["metadata"].get("namespace", ""), labels=wanted)
        failed = next((pod for pod in pods if fatal_reason(pod)), None)
        return None if failed is None else str(explain(failed) or fatal_reason(failed))

    def _type(self, kind: str) -> ResourceType:
        version, _, name = kind.rpartition("/")
        cluster = self.cluster
        if not version:
            # Those without a group first, then groups and versions in order, the newest version first.
            served = [v.rpartition("/")[0] for v in reversed(cluster.api_versions()) if v.endswith(f"/{kind}")]
            version = min(served, key=lambda v: ("/" in v, v.rpartition("/")[0]), default="")
        found = cluster.resource_type(version, name) if version else None
        if found is None:
            raise LookupError(f"the API server serves no kind {kind}; is its CustomResourceDefinition there?")
        return found

    def _key(self, kind: str, name: str, namespace: str) -> ResourceKey:
        from sbkube.models.resource import ResourceKey

        found = self._type(kind)
        return ResourceKey(found.group, found.version, found.kind, namespace if found.namespaced else "", name)

    def _bodies(self, objects: Iterable[Mapping[str, Any] | str | Path]) -> Iterable[Json]:
        for given in objects:
            for body in [given] if isinstance(given, Mapping) else _documents(given):
                found = self.cluster.resource_type(str(body.get("apiVersion")), str(body.get("kind")))
                metadata = dict(body.get("metadata") or {})
                if found is not None and found.namespaced:
                    metadata.setdefault("namespace", "default")
                yield {**body, "metadata": metadata}


def _documents(given: str | Path) -> list[Json]:
    import yaml

    text = given.read_text(encoding="utf-8") if isinstance(given, Path) else given
    return [document for document in yaml.safe_load_all(text) if document]
