"""Which columns kubectl is offered for each kind (`pkg/printers/internalversion`).

A column is `Name type format priority about`; `about` is a text or `@definition.property` of the API's
documentation.
"""

from __future__ import annotations

Column = tuple[str, str, str, int, str]
NAME: Column = ("Name", "string", "name", 0, "@objectmeta-meta-v1.name")
AGE: Column = ("Age", "string", "", 0, "@objectmeta-meta-v1.creationTimestamp")


def _c(name: str, about: str = "", kind: str = "string", priority: int = 0) -> Column:
    return (name, kind, "", priority, about)


def _w(name: str, about: str = "") -> Column:
    return _c(name, about, priority=1)


_CONTAINERS = _w("Containers", "Names of each container in the template.")
_IMAGES = _w("Images", "Images referenced by each container in the template.")

COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "ConfigMap"): (NAME, _c("Data", "@configmap-v1.data"), AGE),
    ("", "Secret"): (NAME, _c("Type", "@secret-v1.type"), _c("Data", "@secret-v1.data"), AGE),
    ("", "Service"): (
        NAME,
        _c("Type", "@servicespec-v1.type"),
        _c("Cluster-IP", "@servicespec-v1.clusterIP"),
        _c("External-IP", "@servicespec-v1.externalIPs"),
        _c("Port(s)", "@servicespec-v1.ports"),
        AGE,
        _w("Selector", "@servicespec-v1.selector"),
    ),
    ("", "ServiceAccount"): (NAME, AGE),
    ("", "Namespace"): (NAME, _c("Status", "The status of the namespace"), AGE),
    ("", "Node"): (
        NAME,
        _c("Status", "The status of the node"),
        _c("Roles", "The roles of the node"),
        AGE,
        _c("Version", "@nodesysteminfo-v1.kubeletVersion"),
    ),
    ("", "Pod"): (
        NAME,
        _c("Ready", "The aggregate readiness state of this pod for accepting traffic."),
        _c("Status", "The aggregate status of the containers in this pod."),
        _c("Restarts", "The number of times the containers in this pod have been restarted and when the last "
           "container in this pod has restarted."),
        AGE,
        _w("IP", "@podstatus-v1.podIP"),
        _w("Node", "@podspec-v1.nodeName"),
        _w("Nominated Node", "@podstatus-v1.nominatedNodeName"),
        _w("Readiness Gates", "@podspec-v1.readinessGates"),
    ),
    ("", "PersistentVolumeClaim"): (
        NAME,
        _c("Status", "@persistentvolumeclaimstatus-v1.phase"),
        _c("Volume", "@persistentvolumeclaimspec-v1.volumeName"),
        _c("Capacity", "@persistentvolumeclaimstatus-v1.capacity"),
        _c("Access Modes", "@persistentvolumeclaimstatus-v1.accessModes"),
        _c("StorageClass", "StorageClass of the pvc"),
        _c("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
        AGE,
        _w("VolumeMode", "@persistentvolumeclaimspec-v1.volumeMode"),
    ),
    ("", "Event"): (
        _c("Last Seen", "@event-v1.lastTimestamp"),
        _c("Type", "@event-v1.type"),
        _c("Reason", "@event-v1.reason"),
        _c("Object", "@event-v1.involvedObject"),
        _w("Subobject", "@objectreference-v1.fieldPath"),
        _w("Source", "@event-v1.source"),
        _c("Message", "@event-v1.message"),
        _w("First Seen", "@event-v1.firstTimestamp"),
        _w("Count", "@event-v1.count"),
        ("Name", "string", "name", 1, "@objectmeta-meta-v1.name"),
    ),
    ("", "Endpoints"): (NAME, _c("Endpoints", "@endpoints-v1.subsets"), AGE),
    ("apps", "Deployment"): (
        NAME,
        _c("Ready", "Number of the pod with ready state"),
        _c("Up-to-date", "@deploymentstatus-apps-v1.updatedReplicas"),
        _c("Available", "@deploymentstatus-apps-v1.availableReplicas"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        _w("Selector", "@deploymentspec-apps-v1.selector"),
    ),
    ("apps", "ReplicaSet"): (
        NAME,
        _c("Desired", "@replicasetspec-apps-v1.replicas", "integer"),
        _c("Current", "@replicasetstatus-apps-v1.replicas", "integer"),
        _c("Ready", "@replicasetstatus-apps-v1.readyReplicas", "integer"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        _w("Selector", "@replicasetspec-apps-v1.selector"),
    ),
    ("apps", "StatefulSet"): (
        NAME,
        _c("Ready", "Number of the pod with ready state"),
        AGE,
        _CONTAINERS,
        _IMAGES,
    ),
    ("apps", "DaemonSet"): (
        NAME,
        _c("Desired", "@daemonsetstatus-apps-v1.desiredNumberScheduled", "integer"),
        _c("Current", "@daemonsetstatus-apps-v1.currentNumberScheduled", "integer"),
        _c("Ready", "@daemonsetstatus-apps-v1.numberReady", "integer"),
        _c("Up-to-date", "@daemonsetstatus-apps-v1.updatedNumberScheduled", "integer"),
        _c("Available", "@daemonsetstatus-apps-v1.numberAvailable", "integer"),
        _c("Node Selector", "@podspec-v1.nodeSelector"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        _w("Selector", "@daemonsetspec-apps-v1.selector"),
    ),
    ("batch", "Job"): (
        NAME,
        _c("Status", "Status of the job."),
        _c("Completions", "@jobstatus-batch-v1.succeeded"),
        _c("Duration", "Time required to complete the job."),
        AGE,
        _CONTAINERS,
        _IMAGES,
        _w("Selector", "@jobspec-batch-v1.selector"),
    ),
    ("batch", "CronJob"): (
        NAME,
        _c("Schedule", "@cronjobspec-batch-v1.schedule"),
        _c("Timezone", "@cronjobspec-batch-v1.timeZone"),
        _c("Suspend", "@cronjobspec-batch-v1.suspend", "boolean"),
        _c("Active", "@cronjobstatus-batch-v1.active", "integer"),
        _c("Last Schedule", "@cronjobstatus-batch-v1.lastScheduleTime"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        _w("Selector", "@jobspec-batch-v1.selector"),
    ),
    ("networking.k8s.io", "Ingress"): (
        NAME,
        _c("Class", "The name of the IngressClass resource that should be used for additional configuration"),
        _c("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
        _c("Address", "Address is a list containing ingress points for the load-balancer"),
        _c("Ports", "Ports of TLS configurations that open"),
        AGE,
    ),
    ("networking.k8s.io", "NetworkPolicy"): (
        NAME,
        _c("Pod-Selector", "@networkpolicyspec-networking-v1.podSelector"),
        AGE,
    ),
    ("policy", "PodDisruptionBudget"): (
        NAME,
        _c("Min Available", "The minimum number of pods that must be available."),
        _c("Max Unavailable", "The maximum number of pods that may be unavailable."),
        _c("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time.", "integer"),
        AGE,
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        NAME,
        _c("Reference", "@horizontalpodautoscalerspec-autoscaling-v2.scaleTargetRef"),
        _c("Targets", "@horizontalpodautoscalerspec-autoscaling-v2.metrics"),
        _c("MinPods", "@horizontalpodautoscalerspec-autoscaling-v2.minReplicas"),
        _c("MaxPods", "@horizontalpodautoscalerspec-autoscaling-v2.maxReplicas"),
        _c("Replicas", "@horizontalpodautoscalerstatus-autoscaling-v2.currentReplicas"),
        AGE,
    ),
    ("rbac.authorization.k8s.io", "Role"): (NAME, ("Created At", "date", "", 0, AGE[4])),
    ("rbac.authorization.k8s.io", "ClusterRole"): (NAME, ("Created At", "date", "", 0, AGE[4])),
    ("rbac.authorization.k8s.io", "RoleBinding"): (NAME, _c("Role", "@rolebinding-rbac-v1.roleRef"), AGE),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (
        NAME,
        _c("Role", "@clusterrolebinding-rbac-v1.roleRef"),
        AGE,
    ),
}  # fmt: skip
DEFAULT: tuple[Column, ...] = (NAME, ("Created At", "date", "", 0, "@objectmeta-meta-v1.creationTimestamp"))
