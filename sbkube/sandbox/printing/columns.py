"""Which columns kubectl is offered for each kind (`pkg/printers/internalversion`).

A column is `Name type format priority about`; `about` is a text or `@definition.property` of the API's
documentation.
"""

from __future__ import annotations

Column = tuple[str, str, str, int, str]
NAME: Column = ("Name", "string", "name", 0, "@objectmeta-meta-v1.name")
AGE: Column = ("Age", "string", "", 0, "@objectmeta-meta-v1.creationTimestamp")


def column(name: str, about: str = "", kind: str = "string", priority: int = 0) -> Column:
    """A column."""
    return (name, kind, "", priority, about)


def wide(name: str, about: str = "") -> Column:
    """A column of `-o wide`."""
    return column(name, about, priority=1)


_CONTAINERS = wide("Containers", "Names of each container in the template.")
_IMAGES = wide("Images", "Images referenced by each container in the template.")

COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "ConfigMap"): (NAME, column("Data", "@configmap-v1.data"), AGE),
    ("", "Secret"): (NAME, column("Type", "@secret-v1.type"), column("Data", "@secret-v1.data"), AGE),
    ("", "Service"): (
        NAME,
        column("Type", "@servicespec-v1.type"),
        column("Cluster-IP", "@servicespec-v1.clusterIP"),
        column("External-IP", "@servicespec-v1.externalIPs"),
        column("Port(s)", "@servicespec-v1.ports"),
        AGE,
        wide("Selector", "@servicespec-v1.selector"),
    ),
    ("", "ServiceAccount"): (NAME, AGE),
    ("", "Namespace"): (NAME, column("Status", "The status of the namespace"), AGE),
    ("", "Node"): (
        NAME,
        column("Status", "The status of the node"),
        column("Roles", "The roles of the node"),
        AGE,
        column("Version", "@nodesysteminfo-v1.kubeletVersion"),
    ),
    ("", "Pod"): (
        NAME,
        column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
        column("Status", "The aggregate status of the containers in this pod."),
        column("Restarts", "The number of times the containers in this pod have been restarted and when the last "
           "container in this pod has restarted."),
        AGE,
        wide("IP", "@podstatus-v1.podIP"),
        wide("Node", "@podspec-v1.nodeName"),
        wide("Nominated Node", "@podstatus-v1.nominatedNodeName"),
        wide("Readiness Gates", "@podspec-v1.readinessGates"),
    ),
    ("", "PersistentVolumeClaim"): (
        NAME,
        column("Status", "@persistentvolumeclaimstatus-v1.phase"),
        column("Volume", "@persistentvolumeclaimspec-v1.volumeName"),
        column("Capacity", "@persistentvolumeclaimstatus-v1.capacity"),
        column("Access Modes", "@persistentvolumeclaimstatus-v1.accessModes"),
        column("StorageClass", "StorageClass of the pvc"),
        column("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
        AGE,
        wide("VolumeMode", "@persistentvolumeclaimspec-v1.volumeMode"),
    ),
    ("", "Event"): (
        column("Last Seen", "@event-v1.lastTimestamp"),
        column("Type", "@event-v1.type"),
        column("Reason", "@event-v1.reason"),
        column("Object", "@event-v1.involvedObject"),
        wide("Subobject", "@objectreference-v1.fieldPath"),
        wide("Source", "@event-v1.source"),
        column("Message", "@event-v1.message"),
        wide("First Seen", "@event-v1.firstTimestamp"),
        wide("Count", "@event-v1.count"),
        ("Name", "string", "name", 1, "@objectmeta-meta-v1.name"),
    ),
    ("", "Endpoints"): (NAME, column("Endpoints", "@endpoints-v1.subsets"), AGE),
    ("apps", "Deployment"): (
        NAME,
        column("Ready", "Number of the pod with ready state"),
        column("Up-to-date", "@deploymentstatus-apps-v1.updatedReplicas"),
        column("Available", "@deploymentstatus-apps-v1.availableReplicas"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        wide("Selector", "@deploymentspec-apps-v1.selector"),
    ),
    ("apps", "ReplicaSet"): (
        NAME,
        column("Desired", "@replicasetspec-apps-v1.replicas", "integer"),
        column("Current", "@replicasetstatus-apps-v1.replicas", "integer"),
        column("Ready", "@replicasetstatus-apps-v1.readyReplicas", "integer"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        wide("Selector", "@replicasetspec-apps-v1.selector"),
    ),
    ("apps", "StatefulSet"): (
        NAME,
        column("Ready", "Number of the pod with ready state"),
        AGE,
        _CONTAINERS,
        _IMAGES,
    ),
    ("apps", "DaemonSet"): (
        NAME,
        column("Desired", "@daemonsetstatus-apps-v1.desiredNumberScheduled", "integer"),
        column("Current", "@daemonsetstatus-apps-v1.currentNumberScheduled", "integer"),
        column("Ready", "@daemonsetstatus-apps-v1.numberReady", "integer"),
        column("Up-to-date", "@daemonsetstatus-apps-v1.updatedNumberScheduled", "integer"),
        column("Available", "@daemonsetstatus-apps-v1.numberAvailable", "integer"),
        column("Node Selector", "@podspec-v1.nodeSelector"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        wide("Selector", "@daemonsetspec-apps-v1.selector"),
    ),
    ("batch", "Job"): (
        NAME,
        column("Status", "Status of the job."),
        column("Completions", "@jobstatus-batch-v1.succeeded"),
        column("Duration", "Time required to complete the job."),
        AGE,
        _CONTAINERS,
        _IMAGES,
        wide("Selector", "@jobspec-batch-v1.selector"),
    ),
    ("batch", "CronJob"): (
        NAME,
        column("Schedule", "@cronjobspec-batch-v1.schedule"),
        column("Timezone", "@cronjobspec-batch-v1.timeZone"),
        column("Suspend", "@cronjobspec-batch-v1.suspend", "boolean"),
        column("Active", "@cronjobstatus-batch-v1.active", "integer"),
        column("Last Schedule", "@cronjobstatus-batch-v1.lastScheduleTime"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        wide("Selector", "@jobspec-batch-v1.selector"),
    ),
    ("networking.k8s.io", "Ingress"): (
        NAME,
        column("Class", "The name of the IngressClass resource that should be used for additional configuration"),
        column("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
        column("Address", "Address is a list containing ingress points for the load-balancer"),
        column("Ports", "Ports of TLS configurations that open"),
        AGE,
    ),
    ("networking.k8s.io", "NetworkPolicy"): (
        NAME,
        column("Pod-Selector", "@networkpolicyspec-networking-v1.podSelector"),
        AGE,
    ),
    ("policy", "PodDisruptionBudget"): (
        NAME,
        column("Min Available", "The minimum number of pods that must be available."),
        column("Max Unavailable", "The maximum number of pods that may be unavailable."),
        column("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time.", "integer"),
        AGE,
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        NAME,
        column("Reference", "@horizontalpodautoscalerspec-autoscaling-v2.scaleTargetRef"),
        column("Targets", "@horizontalpodautoscalerspec-autoscaling-v2.metrics"),
        column("MinPods", "@horizontalpodautoscalerspec-autoscaling-v2.minReplicas"),
        column("MaxPods", "@horizontalpodautoscalerspec-autoscaling-v2.maxReplicas"),
        column("Replicas", "@horizontalpodautoscalerstatus-autoscaling-v2.currentReplicas"),
        AGE,
    ),
    ("rbac.authorization.k8s.io", "Role"): (NAME, ("Created At", "date", "", 0, AGE[4])),
    ("rbac.authorization.k8s.io", "ClusterRole"): (NAME, ("Created At", "date", "", 0, AGE[4])),
    ("rbac.authorization.k8s.io", "RoleBinding"): (NAME, column("Role", "@rolebinding-rbac-v1.roleRef"), AGE),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (
        NAME,
        column("Role", "@clusterrolebinding-rbac-v1.roleRef"),
        AGE,
    ),
}  # fmt: skip
DEFAULT: tuple[Column, ...] = (NAME, ("Created At", "date", "", 0, "@objectmeta-meta-v1.creationTimestamp"))
