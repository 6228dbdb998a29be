"""One function per kind that makes a row's cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sbkube.sandbox.printing.times import age, between
from sbkube.sandbox.selectors import selector_text

Json = dict[str, Any]
Cells = Callable[[Json], "list[Any]"]


def name_of(obj: Json) -> str:
    """Its name."""
    return str(obj["metadata"]["name"])


def age_of(obj: Json) -> str:
    """How long it has been there, as kubectl writes it."""
    return age(obj["metadata"].get("creationTimestamp"))


def _spec(obj: Json) -> Json:
    return obj.get("spec") or {}


def _status(obj: Json) -> Json:
    return obj.get("status") or {}


def containers_of(template: Json) -> list[str]:
    """Names and images of a pod template's containers."""
    found = (template.get("spec") or {}).get("containers") or []
    return [",".join(c.get("name", "") for c in found), ",".join(c.get("image", "") for c in found)]


def labels_of(value: Json | None) -> str:
    """Labels or a plain selector as a text."""
    return ",".join(f"{k}={v}" for k, v in sorted((value or {}).items())) or "<none>"


def _config_map(obj: Json) -> list[Any]:
    return [name_of(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age_of(obj)]


def _secret(obj: Json) -> list[Any]:
    return [name_of(obj), obj.get("type", ""), len(obj.get("data") or {}), age_of(obj)]


def _service(obj: Json) -> list[Any]:
    spec = _spec(obj)
    address = spec.get("clusterIP") or "<none>"
    row = [name_of(obj), spec.get("type", ""), address, _external(obj), _ports(spec), age_of(obj)]
    return [*row, labels_of(spec.get("selector"))]


def _external(obj: Json) -> str:
    spec = _spec(obj)
    listed = list(spec.get("externalIPs") or [])
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        points = (_status(obj).get("loadBalancer") or {}).get("ingress") or []
        listed = [p.get("ip") or p.get("hostname", "") for p in points] + listed
        return ",".join(listed) or "<pending>"
    return ",".join(listed) or "<none>"


def _ports(spec: Json) -> str:
    parts = []
    for port in spec.get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        parts.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(parts) or "<none>"


def _pod(obj: Json) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    statuses = status.get("containerStatuses") or []
    ready = sum(bool(s.get("ready")) for s in statuses)
    restarts = sum(s.get("restartCount", 0) for s in statuses)
    row = [
        name_of(obj),
        f"{ready}/{len(spec.get('containers') or ())}",
        pod_status(obj),
        str(restarts),
        age_of(obj),
    ]
    none = "<none>"
    wide = [status.get("podIP"), spec.get("nodeName"), status.get("nominatedNodeName"), None]
    return row + [w or none for w in wide]


def pod_status(obj: Json) -> str:
    """The word in the STATUS column: the reason of a container's trouble, or the phase."""
    status = _status(obj)
    word = status.get("reason") or status.get("phase", "Unknown")
    for found in reversed(status.get("containerStatuses") or []):
        state = found.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason"):
            word = waiting["reason"]
        elif ended:
            word = ended.get("reason") or f"ExitCode:{ended.get('exitCode', 0)}"
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(word)


_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _claim(obj: Json) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    modes = ",".join(_MODES.get(m, m) for m in status.get("accessModes") or ())
    size = (status.get("capacity") or {}).get("storage", "")
    kind = spec.get("storageClassName", "")
    extra = spec.get("volumeAttributesClassName") or "<unset>"
    row = [name_of(obj), phase, spec.get("volumeName", ""), size, modes, kind, extra, age_of(obj)]
    return [*row, spec.get("volumeMode") or "<unset>"]


def _event(obj: Json) -> list[Any]:
    involved = obj.get("involvedObject") or {}
    source = obj.get("source") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or first
    where = f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"
    who = ", ".join(filter(None, (source.get("component"), source.get("host"))))
    row = [age(last), obj.get("type", ""), obj.get("reason", ""), where, involved.get("fieldPath", ""), who]
    return [*row, str(obj.get("message", "")).strip(), age(first), obj.get("count") or 1, name_of(obj)]


def _endpoints(obj: Json) -> list[Any]:
    found = [
        f"{a['ip']}:{p['port']}"
        for s in obj.get("subsets") or ()
        for p in s.get("ports") or ()
        for a in s.get("addresses") or ()
    ]
    return [name_of(obj), ",".join(found) or "<none>", age_of(obj)]


def _namespace(obj: Json) -> list[Any]:
    return [name_of(obj), _status(obj).get("phase", ""), age_of(obj)]


def _node(obj: Json) -> list[Any]:
    ready = [c for c in _status(obj).get("conditions") or () if c.get("type") == "Ready"]
    word = "Ready" if ready and ready[0].get("status") == "True" else "NotReady"
    word += ",SchedulingDisabled" if _spec(obj).get("unschedulable") else ""
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    roles = ",".join(k.removeprefix(prefix) for k in sorted(labels) if k.startswith(prefix))
    version = (_status(obj).get("nodeInfo") or {}).get("kubeletVersion", "")
    return [name_of(obj), word, roles or "<none>", age_of(obj), version]


def _deployment(obj: Json) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    tail = [*containers_of(spec.get("template") or {}), selector_text(spec.get("selector"))]
    return [name_of(obj), ready, *counts, age_of(obj), *tail]


def _replica_set(obj: Json) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    counts = [spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0)]
    tail = [*containers_of(spec.get("template") or {}), selector_text(spec.get("selector"))]
    return [name_of(obj), *counts, age_of(obj), *tail]


def _stateful_set(obj: Json) -> list[Any]:
    spec = _spec(obj)
    ready = f"{_status(obj).get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [name_of(obj), ready, age_of(obj), *containers_of(spec.get("template") or {})]


def _daemon_set(obj: Json) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    template = spec.get("template") or {}
    where = labels_of((template.get("spec") or {}).get("nodeSelector"))
    tail = [*containers_of(template), selector_text(spec.get("selector"))]
    return [name_of(obj), *(status.get(n, 0) for n in names), where, age_of(obj), *tail]


def _job(obj: Json) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    held = [c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"]
    order = ("Complete", "Failed", "Suspended", "FailureTarget")
    word = next((w for w in order if w in held), "Running")
    done = status.get("succeeded", 0)
    wanted = spec.get("completions")
    share = f"{done}/{wanted}" if wanted is not None else f"{done}/1"
    took = between(status.get("startTime"), status.get("completionTime"))
    tail = [*containers_of(spec.get("template") or {}), selector_text(spec.get("selector"))]
    return [name_of(obj), word, share, took, age_of(obj), *tail]


def _cron_job(obj: Json) -> list[Any]:
    spec, status = _spec(obj), _status(obj)
    last = status.get("lastScheduleTime")
    made = (spec.get("jobTemplate") or {}).get("spec") or {}
    row = [name_of(obj), spec.get("schedule", ""), spec.get("timeZone") or "<none>", bool(spec.get("suspend"))]
    row += [len(status.get("active") or ()), age(last) if last else "<none>", age_of(obj)]
    return [*row, *containers_of(made.get("template") or {}), selector_text(made.get("selector"))]


def _ingress(obj: Json) -> list[Any]:
    spec = _spec(obj)
    hosts = ",".join(r["host"] for r in spec.get("rules") or () if r.get("host")) or "*"
    points = (_status(obj).get("loadBalancer") or {}).get("ingress") or []
    where = ",".join(p.get("ip") or p.get("hostname", "") for p in points)
    kind = spec.get("ingressClassName") or "<none>"
    return [name_of(obj), kind, hosts, where, "80, 443" if spec.get("tls") else "80", age_of(obj)]


def _network_policy(obj: Json) -> list[Any]:
    return [name_of(obj), selector_text(_spec(obj).get("podSelector")), age_of(obj)]


def _budget(obj: Json) -> list[Any]:
    spec = _spec(obj)
    limits = [spec.get(n) for n in ("minAvailable", "maxUnavailable")]
    shown = ["N/A" if v is None else str(v) for v in limits]
    return [name_of(obj), *shown, _status(obj).get("disruptionsAllowed", 0), age_of(obj)]


def _autoscaler(obj: Json) -> list[Any]:
    spec = _spec(obj)
    ref = spec.get("scaleTargetRef") or {}
    targets = []
    for metric in spec.get("metrics") or ():
        inner = metric.get("resource") or {}
        wanted = (inner.get("target") or {}).get("averageUtilization")
        targets.append(f"{inner.get('name', '')}: <unknown>/{wanted}%" if wanted is not None else "<unknown>")
    least = spec.get("minReplicas")
    row = [name_of(obj), f"{ref.get('kind')}/{ref.get('name')}", ", ".join(targets) or "<none>"]
    counts = [
        "<unset>" if least is None else str(least),
        spec.get("maxReplicas"),
        _status(obj).get("currentReplicas", 0),
    ]
    return [*row, *counts, age_of(obj)]


def _binding(obj: Json) -> list[Any]:
    ref = obj.get("roleRef") or {}
    return [name_of(obj), f"{ref.get('kind')}/{ref.get('name')}", age_of(obj)]


def default(obj: Json) -> list[Any]:
    """Name and creation time."""
    return [name_of(obj), obj["metadata"].get("creationTimestamp")]


CELLS: dict[tuple[str, str], Cells] = {
    ("", "ConfigMap"): _config_map,
    ("", "Secret"): _secret,
    ("", "Service"): _service,
    ("", "ServiceAccount"): lambda obj: [name_of(obj), age_of(obj)],
    ("", "Namespace"): _namespace,
    ("", "Node"): _node,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Event"): _event,
    ("", "Endpoints"): _endpoints,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("networking.k8s.io", "NetworkPolicy"): _network_policy,
    ("policy", "PodDisruptionBudget"): _budget,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("rbac.authorization.k8s.io", "RoleBinding"): _binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _binding,
}
