"""Which controller looks after which kind, and what else a change concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sbkube.sandbox.controllers import (
    autoscaling,
    cronjobs,
    deployments,
    jobs,
    namespaces,
    pods,
    replicas,
    services,
    stateful,
    volumes,
)
from sbkube.sandbox.controllers.cluster import Json, Key

if TYPE_CHECKING:
    from sbkube.sandbox.controllers.runtime import Controllers, Reconcile

RECONCILERS: dict[tuple[str, str], Reconcile] = {
    ("", "Namespace"): namespaces.reconcile,
    ("", "ServiceAccount"): namespaces.restore,
    ("", "Pod"): pods.reconcile,
    ("", "ReplicationController"): replicas.reconcile,
    ("", "Service"): services.reconcile,
    ("", "PersistentVolumeClaim"): volumes.reconcile_claim,
    ("", "PersistentVolume"): volumes.reconcile_volume,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): namespaces.reconcile_definition,
    ("apps", "ReplicaSet"): replicas.reconcile,
    ("apps", "Deployment"): deployments.reconcile,
    ("apps", "StatefulSet"): stateful.reconcile,
    ("apps", "DaemonSet"): stateful.reconcile_daemon,
    ("batch", "CronJob"): cronjobs.reconcile,
    ("batch", "Job"): jobs.reconcile,
    ("networking.k8s.io", "Ingress"): services.reconcile_ingress,
    ("policy", "PodDisruptionBudget"): services.reconcile_budget,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaling.reconcile,
}


def _of_pod(run: Controllers, pod: Json) -> Iterable[Key]:
    namespace = pod["metadata"].get("namespace", "")
    yield from services.selecting(run, pod)
    yield from run.index.in_namespace(namespace, "PodDisruptionBudget")
    yield from volumes.of_pod(pod)


def _of_class(run: Controllers, obj: Json) -> Iterable[Key]:
    return run.index.of_kind("Ingress")


def _of_storage_class(run: Controllers, obj: Json) -> Iterable[Key]:
    return run.index.of_kind("PersistentVolumeClaim")


def _of_target(run: Controllers, obj: Json) -> Iterable[Key]:
    return run.index.in_namespace(obj["metadata"].get("namespace", ""), "HorizontalPodAutoscaler")


RELATED: dict[str, Callable[[Controllers, Json], Iterable[Key]]] = {
    "Pod": _of_pod,
    "PersistentVolume": volumes.of_volume,
    "PersistentVolumeClaim": volumes.of_claim,
    "StorageClass": _of_storage_class,
    "IngressClass": _of_class,
    "Deployment": _of_target,
    "StatefulSet": _of_target,
}
