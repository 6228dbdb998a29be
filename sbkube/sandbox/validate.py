"""What the API server refuses: metadata of all kinds, and per kind the rules that change what a deployment does.

`validate` runs after defaults and admission. The causes come in the server's order, in the server's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation import core, metadata, pods, workloads

if TYPE_CHECKING:
    from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]
Rule = Callable[[Json, "Json | None"], list[Cause]]


def _pod(new: Json, old: Json | None) -> list[Cause]:
    found = pods.pod_spec(new.get("spec") or {}, "spec")
    return found + (pods.pod_update(new, old) if old is not None and not found else [])


_RULES: dict[tuple[str, str], Rule] = {
    ("", "ConfigMap"): core.config_map,
    ("", "Secret"): core.secret,
    ("", "Service"): core.service,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): core.claim,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cron_job,
    ("policy", "PodDisruptionBudget"): workloads.disruption_budget,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.autoscaler,
    ("networking.k8s.io", "Ingress"): core.ingress,
    ("coordination.k8s.io", "Lease"): core.lease,
    ("rbac.authorization.k8s.io", "Role"): core.role,
    ("rbac.authorization.k8s.io", "ClusterRole"): core.role,
    ("rbac.authorization.k8s.io", "RoleBinding"): core.role_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): core.role_binding,
}


def validate(kind: Kind, obj: Json, old: Json | None) -> list[Cause]:
    """Everything wrong with `obj`; `old` is the stored object on updates, None on creations.

    `obj` has been decoded (its members have the schema's types), defaulted and admitted.
    """
    found = metadata.metadata(kind, obj.get("metadata") or {}, old["metadata"] if old is not None else None)
    if kind.custom:
        from sbkube.sandbox import crds

        return found + crds.validate_custom(kind, obj, old)
    if kind.kind == "CustomResourceDefinition":
        from sbkube.sandbox import crds

        return found + crds.validate_definition(obj, old)
    rule = _RULES.get((kind.group, kind.kind))
    return found + rule(obj, old) if rule is not None else found
