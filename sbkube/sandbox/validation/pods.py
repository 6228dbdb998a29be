"""Pods and pod templates: what charts get wrong most (`pkg/apis/core/validation`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sbkube.sandbox.status import Cause
from sbkube.sandbox.validation.causes import (
    duplicate,
    forbidden,
    invalid,
    non_negative,
    objects,
    one_of,
    required,
    shown,
    subdomain,
)
from sbkube.sandbox.validation.metadata import label_name
from sbkube.sandbox.validation.quantities import quantity_of

Json = dict[str, Any]
_ENV = re.compile(r"[ -<>-~]+")
_PORT_RANGE = "must be between 1 and 65535, inclusive"
_RESTARTS = ("Always", "Never", "OnFailure")
_DNS = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_PULLS = ("Always", "IfNotPresent", "Never")
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")


def pod_spec(spec: Json, path: str, claims: Sequence[str] = ()) -> list[Cause]:
    """All that is wrong with a PodSpec."""
    volumes = [*claims, *(v.get("name", "") for v in objects(spec.get("volumes")))]
    found = _volumes(spec, f"{path}.volumes")
    names: set[str] = set()
    found += _containers(spec.get("containers"), f"{path}.containers", volumes, names)
    if spec.get("initContainers"):
        found += _containers(spec["initContainers"], f"{path}.initContainers", volumes, names)
    found += one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTARTS)
    found += one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS)
    found += non_negative(f"{path}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and deadline < 1:
        found.append(
            invalid(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")
        )
    account = spec.get("serviceAccountName")
    if account:
        found += subdomain(f"{path}.serviceAccountName", account)
    return found


def _volumes(spec: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for at, volume in enumerate(objects(spec.get("volumes"))):
        name = volume.get("name", "")
        here = f"{path}[{at}]"
        if not name:
            found.append(required(f"{here}.name"))
        else:
            found += label_name(f"{here}.name", name)
        if name in seen:
            found.append(duplicate(f"{here}.name", name))
        seen.add(name)
        sources = [k for k in volume if k != "name"]
        if len(sources) > 1:
            found += [
                forbidden(f"{here}.{s}", "may not specify more than 1 volume type") for s in sorted(sources)[1:]
            ]
        secret = volume.get("secret")
        if isinstance(secret, dict) and not secret.get("secretName"):
            found.append(required(f"{here}.secret.secretName"))
        config = volume.get("configMap")
        if isinstance(config, dict) and not config.get("name"):
            found.append(required(f"{here}.configMap.name"))
        claim = volume.get("persistentVolumeClaim")
        if isinstance(claim, dict) and not claim.get("claimName"):
            found.append(required(f"{here}.persistentVolumeClaim.claimName"))
    return found


def _containers(value: Any, path: str, volumes: list[str], names: set[str]) -> list[Cause]:
    if not value:
        return [required(path)]
    found: list[Cause] = []
    for at, container in enumerate(objects(value)):
        here = f"{path}[{at}]"
        name = container.get("name", "")
        if not name:
            found.append(required(f"{here}.name"))
        else:
            found += label_name(f"{here}.name", name)
        if name and name in names:
            found.append(duplicate(f"{here}.name", name))
        names.add(name)
        found += _container(container, here, volumes)
    return found


def _container(container: Json, path: str, volumes: list[str]) -> list[Cause]:
    found: list[Cause] = []
    image = container.get("image") or ""
    if not image:
        found.append(required(f"{path}.image"))
    elif image.strip() != image:
        found.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    found += _ports(container.get("ports"), f"{path}.ports")
    found += _environment(container, path)
    found += _mounts(container.get("volumeMounts"), f"{path}.volumeMounts", volumes)
    found += one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULLS)
    found += _resources(container.get("resources") or {}, f"{path}.resources")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            found += _probe(container[name], f"{path}.{name}", name != "readinessProbe")
    return found


def _ports(value: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for at, port in enumerate(objects(value)):
        here, name = f"{path}[{at}]", port.get("name")
        if name:
            if len(name) > 15:
                found.append(invalid(f"{here}.name", name, "must be no more than 15 characters"))
            if name in names:
                found.append(duplicate(f"{here}.name", name))
            names.add(name)
        number = port.get("containerPort") or 0
        if number == 0:
            found.append(required(f"{here}.containerPort"))
        elif not 1 <= number <= 65535:
            found.append(invalid(f"{here}.containerPort", number, _PORT_RANGE))
        found += one_of(f"{here}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
    return found


def _environment(container: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for at, variable in enumerate(objects(container.get("env"))):
        here, name = f"{path}.env[{at}]", variable.get("name") or ""
        if not name:
            found.append(required(f"{here}.name"))
        elif not _ENV.fullmatch(name):
            text = (
                "a valid environment variable name must consist only of printable ASCII characters other than '='"
            )
            found.append(invalid(f"{here}.name", name, text))
        source = variable.get("valueFrom")
        if source is not None and variable.get("value"):
            found.append(invalid(f"{here}.valueFrom", "", "may not be specified when `value` is not empty"))
        elif isinstance(source, dict) and not source:
            text = (
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` "
                "or `fileKeyRef`"
            )
            found.append(invalid(f"{here}.valueFrom", "", text))
        for member in ("configMapKeyRef", "secretKeyRef"):
            ref = (source or {}).get(member)
            if isinstance(ref, dict) and not ref.get("key"):
                found.append(required(f"{here}.valueFrom.{member}.key"))
    return found


def _mounts(value: Any, path: str, volumes: list[str]) -> list[Cause]:
    found: list[Cause] = []
    places: set[str] = set()
    for at, mount in enumerate(objects(value)):
        here, name = f"{path}[{at}]", mount.get("name") or ""
        if not name:
            found.append(required(f"{here}.name"))
        elif name not in volumes:
            found.append(Cause("FieldValueNotFound", f"Not found: {shown(name)}", f"{here}.name"))
        place = mount.get("mountPath") or ""
        if not place:
            found.append(required(f"{here}.mountPath"))
        if place in places:
            found.append(invalid(f"{here}.mountPath", place, "must be unique"))
        places.add(place)
    return found


def _resources(resources: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for member, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            size = quantity_of(amount)
            if size is not None and size < 0:
                text = "must be greater than or equal to 0"
                found.append(invalid(f"{path}.{member}[{name}]", str(amount), text))
    for name, amount in requests.items():
        asked, most = quantity_of(amount), quantity_of(limits.get(name))
        if asked is not None and most is not None and asked > most:
            text = f"must be less than or equal to {name} limit of {limits[name]}"
            found.append(invalid(f"{path}.requests", str(amount), text))
    return found


def _probe(probe: Json, path: str, once: bool) -> list[Cause]:
    handlers = [h for h in _HANDLERS if probe.get(h) is not None]
    found: list[Cause] = []
    if not handlers:
        found.append(required(path, "must specify a handler type"))
    found += [forbidden(f"{path}.{h}", "may not specify more than 1 handler type") for h in handlers[1:]]
    for handler in ("httpGet", "tcpSocket"):
        port = (probe.get(handler) or {}).get("port")
        if probe.get(handler) is not None and isinstance(port, int) and not 1 <= port <= 65535:
            found.append(invalid(f"{path}.{handler}.port", port, _PORT_RANGE))
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        found += non_negative(f"{path}.{name}", probe.get(name))
    if once and probe.get("successThreshold", 1) != 1:
        found.append(invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return found


def pod_update(new: Json, old: Json) -> list[Cause]:
    """A running pod's spec stays as it is, but for images, deadlines, further tolerations and its node."""
    tolerated = [_without_seconds(t) for t in objects(new["spec"].get("tolerations"))]
    if any(_without_seconds(t) not in tolerated for t in objects(old["spec"].get("tolerations"))):
        text = "existing toleration can not be modified except its tolerationSeconds"
        return [forbidden("spec.tolerations", text)]
    if _frozen(new["spec"]) == _frozen(old["spec"]):
        return []
    text = (
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    return [forbidden("spec", text)]


def _without_seconds(toleration: Json) -> Json:
    return {k: v for k, v in toleration.items() if k != "tolerationSeconds"}


def ephemeral_update(new: Json, old: Json) -> list[Cause]:
    """Ephemeral containers are only added."""
    path, spec = "spec.ephemeralContainers", new["spec"]
    names = {c.get("name", "") for m in ("containers", "initContainers") for c in objects(spec.get(m))}
    wanted = objects(spec.get("ephemeralContainers"))
    volumes = [v.get("name", "") for v in objects(spec.get("volumes"))]
    found = _containers(wanted, path, volumes, names) if wanted else []
    by_name = {c.get("name"): c for c in wanted}
    for before in objects(old["spec"].get("ephemeralContainers")):
        name = before["name"]
        if by_name.get(name) != before:
            what = "changed" if name in by_name else "removed"
            found.append(forbidden(path, f"existing ephemeral containers {shown(name)} may not be {what}\n"))
    return found


def _frozen(spec: Json) -> Json:
    skipped = {
        "activeDeadlineSeconds",
        "tolerations",
        "nodeName",
        "schedulingGates",
    }
    found = {k: v for k, v in spec.items() if k not in skipped}
    for name in ("containers", "initContainers"):
        found[name] = [{k: v for k, v in c.items() if k != "image"} for c in objects(spec.get(name))]
    return found
