"""API versions that Kubernetes no longer serves, and what is used instead.

Source: kubernetes.io/docs/reference/using-api/deprecation-guide (read for 1.16 to 1.34).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMED = re.compile(r"the kind (\w+) of (\S+)")
# kind, retired version, release that stopped serving it, what to use
_TABLE = (
    ("Deployment", "extensions/v1beta1", "1.16", "apps/v1"),
    ("Deployment", "apps/v1beta1", "1.16", "apps/v1"),
    ("Deployment", "apps/v1beta2", "1.16", "apps/v1"),
    ("DaemonSet", "extensions/v1beta1", "1.16", "apps/v1"),
    ("DaemonSet", "apps/v1beta2", "1.16", "apps/v1"),
    ("ReplicaSet", "extensions/v1beta1", "1.16", "apps/v1"),
    ("StatefulSet", "apps/v1beta1", "1.16", "apps/v1"),
    ("StatefulSet", "apps/v1beta2", "1.16", "apps/v1"),
    ("NetworkPolicy", "extensions/v1beta1", "1.16", "networking.k8s.io/v1"),
    ("Ingress", "extensions/v1beta1", "1.22", "networking.k8s.io/v1"),
    ("Ingress", "networking.k8s.io/v1beta1", "1.22", "networking.k8s.io/v1"),
    ("IngressClass", "networking.k8s.io/v1beta1", "1.22", "networking.k8s.io/v1"),
    ("CustomResourceDefinition", "apiextensions.k8s.io/v1beta1", "1.22", "apiextensions.k8s.io/v1"),
    (
        "MutatingWebhookConfiguration",
        "admissionregistration.k8s.io/v1beta1",
        "1.22",
        "admissionregistration.k8s.io/v1",
    ),
    (
        "ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io/v1beta1",
        "1.22",
        "admissionregistration.k8s.io/v1",
    ),
    ("APIService", "apiregistration.k8s.io/v1beta1", "1.22", "apiregistration.k8s.io/v1"),
    ("Lease", "coordination.k8s.io/v1beta1", "1.22", "coordination.k8s.io/v1"),
    ("ClusterRole", "rbac.authorization.k8s.io/v1beta1", "1.22", "rbac.authorization.k8s.io/v1"),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1beta1", "1.22", "rbac.authorization.k8s.io/v1"),
    ("Role", "rbac.authorization.k8s.io/v1beta1", "1.22", "rbac.authorization.k8s.io/v1"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1beta1", "1.22", "rbac.authorization.k8s.io/v1"),
    ("PriorityClass", "scheduling.k8s.io/v1beta1", "1.22", "scheduling.k8s.io/v1"),
    ("StorageClass", "storage.k8s.io/v1beta1", "1.22", "storage.k8s.io/v1"),
    ("CSIDriver", "storage.k8s.io/v1beta1", "1.22", "storage.k8s.io/v1"),
    ("CronJob", "batch/v1beta1", "1.25", "batch/v1"),
    ("EndpointSlice", "discovery.k8s.io/v1beta1", "1.25", "discovery.k8s.io/v1"),
    ("Event", "events.k8s.io/v1beta1", "1.25", "events.k8s.io/v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2beta1", "1.25", "autoscaling/v2"),
    ("PodDisruptionBudget", "policy/v1beta1", "1.25", "policy/v1"),
    ("PodSecurityPolicy", "policy/v1beta1", "1.25", ""),
    ("RuntimeClass", "node.k8s.io/v1beta1", "1.25", "node.k8s.io/v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2beta2", "1.26", "autoscaling/v2"),
    ("FlowSchema", "flowcontrol.apiserver.k8s.io/v1beta1", "1.26", "flowcontrol.apiserver.k8s.io/v1"),
    ("CSIStorageCapacity", "storage.k8s.io/v1beta1", "1.27", "storage.k8s.io/v1"),
    ("FlowSchema", "flowcontrol.apiserver.k8s.io/v1beta2", "1.29", "flowcontrol.apiserver.k8s.io/v1"),
    ("FlowSchema", "flowcontrol.apiserver.k8s.io/v1beta3", "1.32", "flowcontrol.apiserver.k8s.io/v1"),
)


@dataclass(frozen=True, slots=True)
class Retired:
    """A kind in a version that is not served any more from release `removed` on."""

    kind: str
    api_version: str
    removed: str
    instead: str

    def __str__(self) -> str:
        """In words."""
        return f"{self.kind} of {self.api_version} is not served"

    @property
    def hint(self) -> str:
        """The way out."""
        return f"use {self.instead}" if self.instead else "there is nothing in its place"

    def gone_in(self, version: str) -> bool:
        """Whether that release (such as `1.34`; "" is the newest) does not serve it."""
        return not version or _minor(version) >= _minor(self.removed)


def _minor(version: str) -> int:
    match = re.match(r"v?1\.(\d+)", version)
    return int(match[1]) if match else 1000


def retired(message: str) -> Retired | None:
    """What is known of the kind that a message names as `the kind KIND of VERSION`."""
    match = _NAMED.search(message)
    named = (match[1], match[2].rstrip(".")) if match else None
    return next((Retired(*row) for row in _TABLE if row[:2] == named), None)
