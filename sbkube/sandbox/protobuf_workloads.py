"""Field numbers of the workloads that `kubectl create` sends as protobuf (`k8s.io/api`, `generated.proto`).

These tables are not complete. A body that uses a field which is missing here is refused rather than cut short.
"""

from __future__ import annotations

Row = tuple[str, str, str]


def _one(name: str, kind: str = "string") -> Row:
    return (name, kind, "one")


def _many(name: str, kind: str = "string") -> Row:
    return (name, kind, "list")


def _map(name: str) -> Row:
    return (name, "string", "map")


STRICT: dict[str, dict[int, Row]] = {
    "apps/v1 Deployment": {1: _one("metadata", "ObjectMeta"), 2: _one("spec", "DeploymentSpec")},
    "DeploymentSpec": {
        1: _one("replicas", "int"),
        2: _one("selector", "LabelSelector"),
        3: _one("template", "PodTemplateSpec"),
        4: _one("strategy", "DeploymentStrategy"),
        5: _one("minReadySeconds", "int"),
        6: _one("revisionHistoryLimit", "int"),
        7: _one("paused", "bool"),
        9: _one("progressDeadlineSeconds", "int"),
    },
    "DeploymentStrategy": {1: _one("type")},
    "LabelSelector": {1: _map("matchLabels"), 2: _many("matchExpressions", "LabelSelectorRequirement")},
    "LabelSelectorRequirement": {1: _one("key"), 2: _one("operator"), 3: _many("values")},
    "batch/v1 Job": {1: _one("metadata", "ObjectMeta"), 2: _one("spec", "JobSpec")},
    "JobSpec": {
        1: _one("parallelism", "int"),
        2: _one("completions", "int"),
        3: _one("activeDeadlineSeconds", "int"),
        4: _one("selector", "LabelSelector"),
        5: _one("manualSelector", "bool"),
        6: _one("template", "PodTemplateSpec"),
        7: _one("backoffLimit", "int"),
        8: _one("ttlSecondsAfterFinished", "int"),
        9: _one("completionMode"),
        10: _one("suspend", "bool"),
    },
    "PodTemplateSpec": {1: _one("metadata", "ObjectMeta"), 2: _one("spec", "PodSpec")},
    "PodSpec": {
        2: _many("containers", "Container"),
        3: _one("restartPolicy"),
        4: _one("terminationGracePeriodSeconds", "int"),
        5: _one("activeDeadlineSeconds", "int"),
        6: _one("dnsPolicy"),
        7: _map("nodeSelector"),
        8: _one("serviceAccountName"),
        9: _one("serviceAccount"),
        10: _one("nodeName"),
        11: _one("hostNetwork", "bool"),
        12: _one("hostPID", "bool"),
        13: _one("hostIPC", "bool"),
        14: _one("securityContext", "PodSecurityContext"),
        15: _many("imagePullSecrets", "LocalObjectReference"),
        16: _one("hostname"),
        17: _one("subdomain"),
        19: _one("schedulerName"),
        20: _many("initContainers", "Container"),
        21: _one("automountServiceAccountToken", "bool"),
        24: _one("priorityClassName"),
        25: _one("priority", "int"),
        29: _one("runtimeClassName"),
        30: _one("enableServiceLinks", "bool"),
        31: _one("preemptionPolicy"),
    },
    "PodSecurityContext": {
        2: _one("runAsUser", "int"),
        3: _one("runAsNonRoot", "bool"),
        5: _one("fsGroup", "int"),
        6: _one("runAsGroup", "int"),
    },
    "Container": {
        1: _one("name"),
        2: _one("image"),
        3: _many("command"),
        4: _many("args"),
        5: _one("workingDir"),
        6: _many("ports", "ContainerPort"),
        7: _many("env", "EnvVar"),
        8: _one("resources", "ResourceRequirements"),
        13: _one("terminationMessagePath"),
        14: _one("imagePullPolicy"),
        20: _one("terminationMessagePolicy"),
    },
    "ResourceRequirements": {1: ("limits", "Quantity", "map"), 2: ("requests", "Quantity", "map")},
    "ContainerPort": {
        1: _one("name"),
        2: _one("hostPort", "int"),
        3: _one("containerPort", "int"),
        4: _one("protocol"),
        5: _one("hostIP"),
    },
    "EnvVar": {1: _one("name"), 2: _one("value")},
    "v1 Service": {1: _one("metadata", "ObjectMeta"), 2: _one("spec", "ServiceSpec")},
    "ServiceSpec": {
        1: _many("ports", "ServicePort"),
        2: _map("selector"),
        3: _one("clusterIP"),
        4: _one("type"),
        5: _many("externalIPs"),
        7: _one("sessionAffinity"),
        8: _one("loadBalancerIP"),
        9: _many("loadBalancerSourceRanges"),
        10: _one("externalName"),
        11: _one("externalTrafficPolicy"),
        12: _one("healthCheckNodePort", "int"),
        13: _one("publishNotReadyAddresses", "bool"),
    },
    "ServicePort": {
        1: _one("name"),
        2: _one("protocol"),
        3: _one("port", "int"),
        4: _one("targetPort", "IntOrString"),
        5: _one("nodePort", "int"),
        6: _one("appProtocol"),
    },
}
