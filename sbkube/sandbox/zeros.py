"""The empty object of each kind as Go serialises it.

Members of Go structs that are neither pointers nor `omitempty` are always written. A creation is compared with
this object, so that what is always there (`f:spec`, `f:template`) has no owner of its own.
"""

from __future__ import annotations

from typing import Any

import orjson

from sbkube.sandbox.kinds import Kind

Json = dict[str, Any]

_TEMPLATE: Json = {"metadata": {}, "spec": {"containers": None}}
_SPECS: dict[tuple[str, str], Json] = {
    ("apps", "Deployment"): {"selector": None, "template": _TEMPLATE, "strategy": {}},
    ("apps", "StatefulSet"): {"selector": None, "template": _TEMPLATE, "serviceName": "", "updateStrategy": {}},
    ("apps", "DaemonSet"): {"selector": None, "template": _TEMPLATE, "updateStrategy": {}},
    ("apps", "ReplicaSet"): {"selector": None, "template": _TEMPLATE},
    ("", "ReplicationController"): {},
    ("batch", "Job"): {"template": _TEMPLATE},
    ("batch", "CronJob"): {
        "schedule": "",
        "jobTemplate": {"metadata": {}, "spec": {"template": _TEMPLATE}},
    },
    ("", "Pod"): {"containers": None},
    ("", "Service"): {},
    ("", "PersistentVolumeClaim"): {"resources": {}},
    ("", "PersistentVolume"): {},
    ("", "Namespace"): {"finalizers": ["kubernetes"]},
    ("", "Node"): {},
    ("", "ResourceQuota"): {},
    ("", "LimitRange"): {"limits": None},
    ("autoscaling", "HorizontalPodAutoscaler"): {"scaleTargetRef": {"kind": "", "name": ""}, "maxReplicas": 0},
    ("networking.k8s.io", "Ingress"): {},
    ("networking.k8s.io", "IngressClass"): {},
    ("networking.k8s.io", "NetworkPolicy"): {"podSelector": {}},
    ("policy", "PodDisruptionBudget"): {},
    ("coordination.k8s.io", "Lease"): {},
    ("storage.k8s.io", "CSIDriver"): {},
    ("storage.k8s.io", "CSINode"): {"drivers": None},
    ("storage.k8s.io", "VolumeAttachment"): {"attacher": "", "source": {}, "nodeName": ""},
    ("apiregistration.k8s.io", "APIService"): {},
    ("apiextensions.k8s.io", "CustomResourceDefinition"): {
        "group": "", "names": {"plural": "", "kind": ""}, "scope": "", "versions": None,
    },
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): {},
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): {},
}  # fmt: skip
_STATUSES: dict[tuple[str, str], Json] = {
    ("", "Service"): {"loadBalancer": {}},
    ("networking.k8s.io", "Ingress"): {"loadBalancer": {}},
    ("", "Node"): {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": {}},
}
_OTHERS: dict[tuple[str, str], Json] = {
    ("rbac.authorization.k8s.io", "RoleBinding"): {"roleRef": {"apiGroup": "", "kind": "", "name": ""}},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {"roleRef": {"apiGroup": "", "kind": "", "name": ""}},
    ("rbac.authorization.k8s.io", "Role"): {"rules": None},
    ("rbac.authorization.k8s.io", "ClusterRole"): {"rules": None},
    ("", "PodTemplate"): {"template": _TEMPLATE},
    ("", "Event"): {
        "involvedObject": {}, "source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": None,
        "reportingComponent": "", "reportingInstance": "",
    },
    ("apps", "ControllerRevision"): {"revision": 0},
    ("storage.k8s.io", "StorageClass"): {"provisioner": ""},
    ("scheduling.k8s.io", "PriorityClass"): {"value": 0},
    ("discovery.k8s.io", "EndpointSlice"): {"addressType": "", "endpoints": None, "ports": None},
}  # fmt: skip


def zero(kind: Kind) -> bytes:
    """The JSON of the kind's empty object (without apiVersion and kind)."""
    key = (kind.group, kind.kind)
    out: Json = {"metadata": {}}
    if not kind.custom:
        out |= _OTHERS.get(key, {})
        if key in _SPECS:
            out["spec"] = _SPECS[key]
        if kind.subresource("status") and key != ("", "Event"):
            out["status"] = _STATUSES.get(key, {})
    return orjson.dumps(out)


def zero_status(kind: Kind, obj: Json) -> None:
    """Gives a new object the status it starts with."""
    if kind.custom or not kind.subresource("status"):
        return
    obj.setdefault("status", orjson.loads(orjson.dumps(_STATUSES.get((kind.group, kind.kind), {}))))
