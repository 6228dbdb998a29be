"""What the API server writes into an object where its author says nothing.

`apply_defaults` runs on each object that is written, after decoding and before validation, for creations,
updates and applied objects alike; it is idempotent. Fields that are always serialised
(`resources: {}`) are added here too.
What needs knowledge of other objects (addresses, generated selectors) is `sbkube.sandbox.admission`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sbkube.sandbox.defaulting import cluster, networking, pods, workloads

if TYPE_CHECKING:
    from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]

_DEFAULTS: dict[tuple[str, str], Callable[[Json], None]] = {
    ("", "Pod"): pods.pod,
    ("", "PodTemplate"): workloads.pod_template,
    ("", "ReplicationController"): workloads.replication_controller,
    ("", "Service"): networking.service,
    ("", "Endpoints"): networking.endpoints,
    ("", "Secret"): cluster.secret,
    ("", "Namespace"): cluster.namespace,
    ("", "Node"): cluster.node,
    ("", "PersistentVolumeClaim"): cluster.persistent_volume_claim,
    ("", "PersistentVolume"): cluster.persistent_volume,
    ("", "LimitRange"): cluster.limit_range,
    ("", "ResourceQuota"): cluster.resource_quota,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "ControllerRevision"): workloads.controller_revision,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cron_job,
    ("policy", "PodDisruptionBudget"): workloads.pod_disruption_budget,
    ("networking.k8s.io", "Ingress"): networking.ingress,
    ("networking.k8s.io", "IngressClass"): networking.ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): networking.network_policy,
    ("discovery.k8s.io", "EndpointSlice"): networking.endpoint_slice,
    ("storage.k8s.io", "StorageClass"): cluster.storage_class,
    ("scheduling.k8s.io", "PriorityClass"): cluster.priority_class,
    ("rbac.authorization.k8s.io", "Role"): cluster.role,
    ("rbac.authorization.k8s.io", "ClusterRole"): cluster.role,
    ("rbac.authorization.k8s.io", "RoleBinding"): cluster.role_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): cluster.role_binding,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): cluster.webhook_configuration,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): cluster.webhook_configuration,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.custom_resource_definition,
}


def apply_defaults(kind: Kind, obj: Json) -> None:
    """Fills `obj` in place with what the API server would add for this kind; kinds without defaults pass.

    Members must already have the types of the schema (the decoder sees to that).
    """
    if kind.group == "autoscaling" and kind.kind == "HorizontalPodAutoscaler":
        if kind.version == "v1":
            workloads.horizontal_pod_autoscaler_v1(obj)
        else:
            workloads.horizontal_pod_autoscaler(obj)
        return
    found = _DEFAULTS.get((kind.group, kind.kind))
    if found is not None:
        found(obj)
