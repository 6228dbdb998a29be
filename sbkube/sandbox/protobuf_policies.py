"""Field numbers of roles, policies, routes and schedules that `kubectl create` and `autoscale` send as protobuf.

As in `protobuf_workloads`, a body with a field that is missing here is refused. A row without a name is inline.
"""

from __future__ import annotations

Row = tuple[str, str, str]


def _one(name: str, kind: str = "string") -> Row:
    return (name, kind, "one")


def _many(name: str, kind: str = "string") -> Row:
    return (name, kind, "list")


_META = _one("metadata", "ObjectMeta")
_RBAC = "rbac.authorization.k8s.io/v1"
_BINDING = {1: _META, 2: _many("subjects", "Subject"), 3: _one("roleRef", "RoleRef")}

STRICT: dict[str, dict[int, Row]] = {
    f"{_RBAC} Role": {1: _META, 2: _many("rules", "PolicyRule")},
    f"{_RBAC} ClusterRole": {
        1: _META,
        2: _many("rules", "PolicyRule"),
        3: _one("aggregationRule", "AggregationRule"),
    },
    f"{_RBAC} RoleBinding": _BINDING,
    f"{_RBAC} ClusterRoleBinding": _BINDING,
    "AggregationRule": {1: _many("clusterRoleSelectors", "LabelSelector")},
    "PolicyRule": {
        1: _many("verbs"),
        2: _many("apiGroups"),
        3: _many("resources"),
        4: _many("resourceNames"),
        5: _many("nonResourceURLs"),
    },
    "Subject": {1: _one("kind"), 2: _one("apiGroup"), 3: _one("name"), 4: _one("namespace")},
    "RoleRef": {1: _one("apiGroup"), 2: _one("kind"), 3: _one("name")},
    "v1 ResourceQuota": {1: _META, 2: _one("spec", "ResourceQuotaSpec")},
    "ResourceQuotaSpec": {1: ("hard", "Quantity", "map"), 2: _many("scopes")},
    "policy/v1 PodDisruptionBudget": {1: _META, 2: _one("spec", "PodDisruptionBudgetSpec")},
    "PodDisruptionBudgetSpec": {
        1: _one("minAvailable", "IntOrString"),
        2: _one("selector", "LabelSelector"),
        3: _one("maxUnavailable", "IntOrString"),
        4: _one("unhealthyPodEvictionPolicy"),
    },
    "scheduling.k8s.io/v1 PriorityClass": {
        1: _META,
        2: _one("value", "int"),
        3: _one("globalDefault", "bool"),
        4: _one("description"),
        5: _one("preemptionPolicy"),
    },
    "authentication.k8s.io/v1 TokenRequest": {1: _META, 2: _one("spec", "TokenRequestSpec")},
    "TokenRequestSpec": {1: _many("audiences"), 4: _one("expirationSeconds", "int")},
    "batch/v1 CronJob": {1: _META, 2: _one("spec", "CronJobSpec")},
    "CronJobSpec": {
        1: _one("schedule"),
        2: _one("startingDeadlineSeconds", "int"),
        3: _one("concurrencyPolicy"),
        4: _one("suspend", "bool"),
        5: _one("jobTemplate", "JobTemplateSpec"),
        6: _one("successfulJobsHistoryLimit", "int"),
        7: _one("failedJobsHistoryLimit", "int"),
        8: _one("timeZone"),
    },
    "JobTemplateSpec": {1: _META, 2: _one("spec", "JobSpec")},
    "autoscaling/v2 HorizontalPodAutoscaler": {1: _META, 2: _one("spec", "AutoscalerSpec")},
    "AutoscalerSpec": {
        1: _one("scaleTargetRef", "CrossVersionObjectReference"),
        2: _one("minReplicas", "int"),
        3: _one("maxReplicas", "int"),
        4: _many("metrics", "MetricSpec"),
    },
    "CrossVersionObjectReference": {1: _one("kind"), 2: _one("name"), 3: _one("apiVersion")},
    "MetricSpec": {1: _one("type"), 4: _one("resource", "ResourceMetricSource")},
    "ResourceMetricSource": {1: _one("name"), 2: _one("target", "MetricTarget")},
    "MetricTarget": {
        1: _one("type"),
        2: _one("value", "Quantity"),
        3: _one("averageValue", "Quantity"),
        4: _one("averageUtilization", "int"),
    },
    "networking.k8s.io/v1 Ingress": {1: _META, 2: _one("spec", "IngressSpec")},
    "IngressSpec": {
        1: _one("defaultBackend", "IngressBackend"),
        2: _many("tls", "IngressTLS"),
        3: _many("rules", "IngressRule"),
        4: _one("ingressClassName"),
    },
    "IngressTLS": {1: _many("hosts"), 2: _one("secretName")},
    "IngressRule": {1: _one("host"), 2: _one("", "IngressRuleValue")},
    "IngressRuleValue": {1: _one("http", "HTTPIngressRuleValue")},
    "HTTPIngressRuleValue": {1: _many("paths", "HTTPIngressPath")},
    "HTTPIngressPath": {1: _one("path"), 2: _one("backend", "IngressBackend"), 3: _one("pathType")},
    "IngressBackend": {4: _one("service", "IngressServiceBackend")},
    "IngressServiceBackend": {1: _one("name"), 2: _one("port", "ServiceBackendPort")},
    "ServiceBackendPort": {1: _one("name"), 2: _one("number", "int")},
}
