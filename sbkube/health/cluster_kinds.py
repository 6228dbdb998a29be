"""Readiness of the kinds that run no pods: storage, network, API extensions, policies.

Source of the rules unless a function says otherwise: kstatus of `kubernetes-sigs/cli-utils`
(`pkg/kstatus/status/core.go`).
"""

from __future__ import annotations

from sbkube.health.conditions import (
    Body,
    annotation,
    condition,
    failed,
    holds,
    items,
    message_of,
    ready,
    reason_of,
    section,
    waiting,
)
from sbkube.models.health import Health, HealthStatus

_PROVISIONING = (
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
)


def persistent_volume_claim(body: Body) -> Health:
    """Ready when bound, or when it waits for its first consumer as its storage class says.

    The claim does not name its binding mode. But the volume controller annotates a claim with its provisioner
    as soon as it starts to provision, and for `WaitForFirstConsumer` it does so only after a pod was scheduled
    (`pkg/controller/volume/persistentvolume`, `syncUnboundClaim`). So a pending claim with a storage class and
    without that annotation waits for a pod; waiting for it first would be a deadlock. If the class does not
    exist at all, the pod that uses the claim stays unschedulable and says so.
    """
    spec, phase = section(body, "spec"), str(section(body, "status").get("phase") or "")
    if phase == "Bound":
        return ready("bound", "Bound")
    if phase == "Lost":
        return failed("Lost", "the volume that the claim was bound to is gone")
    started = spec.get("volumeName") or any(annotation(body, name) for name in _PROVISIONING)
    if phase == "Pending" and spec.get("storageClassName") and not started:
        return ready("waits for the first pod that uses it", "WaitForFirstConsumer")
    return waiting("NotBound", f"not bound (phase {phase or 'unknown'})")


def persistent_volume(body: Body) -> Health:
    """Ready unless pending or failed (API reference, `PersistentVolumeStatus.phase`)."""
    status = section(body, "status")
    phase = str(status.get("phase") or "")
    if phase == "Failed":
        return failed("VolumeFailed", str(status.get("message") or "reclaiming the volume has failed"))
    if phase in {"", "Pending"}:
        return waiting("VolumePending", "not available yet")
    return ready(phase.lower(), phase)


def service(body: Body) -> Health:
    """Ready at once; type LoadBalancer when it has an address, or external IPs (which Helm accepts too)."""
    spec = section(body, "spec")
    if spec.get("type") != "LoadBalancer" or spec.get("externalIPs"):
        return ready()
    addresses = _addresses(body)
    return ready(f"address {addresses}") if addresses else waiting("NoAddress", "the load balancer has no address")


def _addresses(body: Body) -> str:
    entries = items(section(body, "status", "loadBalancer"), "ingress")
    return ", ".join(str(entry.get("ip") or entry.get("hostname") or "") for entry in entries)


def ingress(body: Body) -> Health:
    """Ready at once: which controller answers, and whether it writes an address, is the cluster's choice."""
    addresses = _addresses(body)
    return ready(f"address {addresses}" if addresses else "")


def custom_resource_definition(body: Body) -> Health:
    """Ready when Established; names that were not accepted are a failure."""
    names = condition(body, "NamesAccepted")
    if names and str(names.get("status")) == "False":
        return failed(reason_of(names, "NamesNotAccepted"), message_of(names))
    if holds(body, "Established"):
        return ready("established", "Established")
    return waiting("NotEstablished", "the API server does not serve it yet")


def api_service(body: Body) -> Health:
    """Ready when Available."""
    entry = condition(body, "Available")
    if entry and str(entry.get("status")) == "True":
        return ready("available", "Available")
    return waiting(reason_of(entry or {}, "NotAvailable"), message_of(entry or {}) or "not available yet")


def namespace(body: Body) -> Health:
    """Ready while Active."""
    if section(body, "status").get("phase") == "Terminating":
        return Health(HealthStatus.TERMINATING, "Terminating", _why_it_stays(body))
    return ready("active", "Active")


def _why_it_stays(body: Body) -> str:
    """What a namespace that is being deleted still waits for, from its conditions."""
    kinds = ("NamespaceDeletionDiscoveryFailure", "NamespaceFinalizersRemaining", "NamespaceContentRemaining")
    texts = [message_of(entry) for kind in kinds if (entry := condition(body, kind)) and holds(body, kind)]
    return "; ".join(text for text in texts if text) or "being deleted"


def pod_disruption_budget(body: Body) -> Health:
    """Ready when the controller has computed it for this generation."""
    if "observedGeneration" not in section(body, "status"):
        return waiting("NotComputed", "allowed disruptions are not computed yet")
    return ready("computed")


def horizontal_pod_autoscaler(body: Body) -> Health:
    """Ready unless it cannot reach its target; missing metrics are told but not waited for.

    No kstatus rule exists. `AbleToScale` and `ScalingActive` are the API's conditions; a cluster without a
    metrics server keeps `ScalingActive` false for ever, which must not fail a deployment.
    """
    able = condition(body, "AbleToScale")
    if able and str(able.get("status")) == "False":
        return waiting(reason_of(able, "UnableToScale"), message_of(able))
    active = condition(body, "ScalingActive")
    if active and str(active.get("status")) == "False":
        return ready(message_of(active), reason_of(active, "ScalingInactive"))
    return ready()
