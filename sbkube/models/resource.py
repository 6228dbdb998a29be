"""Names of Kubernetes objects, and objects as they were written in a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sbkube.errors import Place


@dataclass(frozen=True, slots=True, order=True)
class ResourceKey:
    """Identity of an object; `namespace` is empty for cluster-scoped kinds, `group` for core kinds."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for core kinds."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What stays the same when the served version changes: group, kind, namespace, name."""
        return (self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        """`Deployment/web` with ` in NAMESPACE` where there is one."""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind}/{self.name}{where}"

    @classmethod
    def of(cls, body: Mapping[str, Any], namespace: str | None = None) -> ResourceKey:
        """The key of an object's body; `namespace` replaces the one in its metadata when given."""
        group, _, version = str(body.get("apiVersion", "")).rpartition("/")
        meta = body.get("metadata") or {}
        where = meta.get("namespace") or "" if namespace is None else namespace
        return cls(group, version, str(body.get("kind", "")), where, str(meta.get("name", "")))

    def to_json(self) -> dict[str, str]:
        """Plain form for machine output."""
        return {
            "group": self.group,
            "version": self.version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> ResourceKey:
        """Inverse of `to_json`."""
        return cls(data["group"], data["version"], data["kind"], data["namespace"], data["name"])


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One kind as the server's discovery describes it; `verbs` are the server's."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for core kinds."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object that an app wants, and the place in a source where it was written."""

    key: ResourceKey
    body: Mapping[str, Any] = field(compare=False)
    source: Place | None = None


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """What is known of a cluster: its UID is that of the `kube-system` namespace."""

    name: str
    server: str
    context: str
    version: str
    uid: str
    user: str = ""
    sandbox: bool = False
